# frozen_string_literal: true

# Where `puts` and Logger write: the framed log pipe, where one call is one event, else standard output.
require 'json'
require 'logger'
require 'time'

module Lambkin
  # The pipe.
  class Sink
    LEVELS = { Logger::DEBUG => 2, Logger::INFO => 3, Logger::WARN => 4, Logger::ERROR => 5, Logger::FATAL => 6 }.freeze

    def self.open
      fd = ENV.delete('_LAMBDA_TELEMETRY_LOG_FD')
      pipe = IO.for_fd(Integer(fd, 10), 'wb', autoclose: false) if fd
      pipe&.close_on_exec = true
      pipe&.sync = true
      new(pipe)
    rescue ArgumentError, SystemCallError
      new(nil)
    end

    def initialize(pipe)
      @pipe = pipe
      @lock = Mutex.new
    end

    def framed?
      !@pipe.nil?
    end

    # Without a severity it is text of no level, in either format.
    def write(text, severity = Thread.current[:lambkin_severity])
      return STDOUT.write(text) unless @pipe

      data = text.b
      kind = 0xA55A0002 + (LEVELS.fetch(severity, 0) << 2) + (Log.json? && severity ? 0 : 1)
      send_frame([kind, data.bytesize, Process.clock_gettime(Process::CLOCK_REALTIME, :microsecond)].pack('NNQ>') << data)
      text.bytesize
    end

    def close; end # a Logger wants it

    private

    def send_frame(frame)
      @lock.synchronize { @pipe.write(frame) }
    rescue ThreadError # in a trap handler nobody may wait
      @pipe.write(frame)
    rescue SystemCallError
      nil # nobody reads any more
    end
  end

  # "I, [2025-01-01T00:00:00.000000 #8]  INFO <request id> -- : text"
  class TextFormatter < Logger::Formatter
    def call(severity, time, progname, message)
      stamp = time.strftime(@datetime_format || '%Y-%m-%dT%H:%M:%S.%6N')
      Log.clean(format("%s, [%s #%d] %5s %s -- %s: %s\n", severity[0..0], stamp, Process.pid, severity, Log.request_id, progname,
                       msg2str(message)))
    end
  end

  # One JSON object a line.
  class JsonFormatter < Logger::Formatter
    PLACE = /\A(.+):(\d+):in [`'](.+)'\z/.freeze

    def call(severity, time, progname, message)
      line = { timestamp: time.getutc.strftime('%Y-%m-%dT%H:%M:%S.%6NZ'), level: severity, message: Log.clean(text_of(message)),
               requestId: Log.request_id }
      line[:logger] = Log.clean(progname.to_s) unless progname.to_s.empty?
      line.merge!(error_members(message)) if message.is_a?(Exception)
      "#{JSON.generate(line.compact)}\n"
    end

    private

    def text_of(message)
      message.is_a?(Exception) ? message.message : msg2str(message)
    end

    def error_members(error)
      stack = (error.backtrace || []).map { |frame| Log.clean(frame) }
      file, line, method = PLACE.match(stack.first || '')&.captures
      { errorType: error.class.to_s, errorMessage: Log.clean(error.message), stackTrace: stack,
        location: file ? "#{file}:#{method}:#{line}" : stack.first }
    end
  end

  # A Logger of standard output writes where the platform reads, in the format and from the level that the function asks for.
  module LoggerPatch
    def initialize(logdev = nil, *rest, **options)
      return super unless Log.sink && (logdev.nil? || logdev == $stdout || logdev == $stderr)

      super(Log.sink, *rest, **options)
      self.level = Log.level unless options.key?(:level)
      @default_formatter = Log.json? ? JsonFormatter.new : TextFormatter.new
      self.datetime_format = options[:datetime_format] if options[:datetime_format]
    end

    # The frame tells the level, whoever formats the line.
    def add(severity, *rest, **options)
      outer = Thread.current[:lambkin_severity]
      Thread.current[:lambkin_severity] = severity
      super
    ensure
      Thread.current[:lambkin_severity] = outer
    end
  end

  # What the function's variables say, and the invocation in progress.
  module Log
    class << self
      attr_accessor :request_id
      attr_reader :sink, :level

      def json?
        @json
      end

      def prepare
        @json = ENV.fetch('AWS_LAMBDA_LOG_FORMAT', '').casecmp?('JSON')
        name = ENV.fetch('AWS_LAMBDA_LOG_LEVEL', '').upcase
        @level = %w[DEBUG INFO WARN ERROR FATAL].index(name) || Logger::DEBUG
        @sink = Sink.open
        $stdout.sync = $stderr.sync = true
        Logger.prepend(LoggerPatch)
        patch_puts if @sink.framed?
      end

      def clean(text)
        text = text.to_s
        text.encoding == Encoding::BINARY ? text.dup.force_encoding('UTF-8').scrub : text.encode('UTF-8', invalid: :replace, undef: :replace).scrub
      end

      # A failure, before its document goes to the platform.
      def failure(line, document)
        if json?
          now = Time.now.utc.strftime('%Y-%m-%dT%H:%M:%S.%6NZ')
          line = JSON.generate({ timestamp: now, level: 'ERROR', message: line, requestId: request_id }.compact.merge(document))
          sink.write("#{line}\n", Logger::ERROR)
        else
          sink.write("#{line}\n", Logger::ERROR)
          sink.write("#{JSON.pretty_generate(document)}\n", Logger::ERROR)
        end
      end

      private

      def patch_puts
        sink = @sink
        Kernel.module_eval do
          define_method(:puts) do |*parts|
            text = parts.flatten.map { |part| Log.clean(part) }.join("\n")
            sink.write(text.end_with?("\n") ? text : "#{text}\n", nil)
            nil
          end
          private :puts
        end
      end
    end
  end
end
