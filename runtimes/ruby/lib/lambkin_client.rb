# frozen_string_literal: true

# Runtime client of the managed runtimes ruby3.x: loads the handler, then for ever takes an event, calls the handler and
# sends the result, which leaves in one write with the request for the next event.
require 'json'
require 'socket'
require 'stringio'

module Lambkin
  BASE = '/2018-06-01/runtime'
  OWN = File.dirname(__dir__)
  # Of these AWS names the class in the header of an error, of no others.
  NAMED = %w[ArgumentError NoMethodError Exception StandardError NameError LoadError SystemExit SystemStackError].freeze

  # Log events: on the framed pipe, where one may have several lines, else on standard output.
  class Sink
    def initialize
      fd = ENV.delete('_LAMBDA_TELEMETRY_LOG_FD')
      return unless fd

      @pipe = IO.for_fd(Integer(fd, 10), 'wb', autoclose: false)
      @pipe.close_on_exec = true
      @pipe.sync = true
    rescue ArgumentError, SystemCallError
      @pipe = nil
    end

    def write(text)
      return STDOUT.write(text) unless @pipe

      data = text.b
      now = Process.clock_gettime(Process::CLOCK_REALTIME, :microsecond)
      @pipe.write([0xA55A0003, data.bytesize, now].pack('NNQ>') << data)
    end
  end

  # `puts` and the other calls without a receiver: one call is one event.
  class Output < StringIO
    def initialize(sink)
      super()
      @sink = sink
    end

    def write(*parts)
      text = parts.join
      @sink.write(text) unless text.empty?
      text.bytesize
    end

    def puts(*lines)
      text = StringIO.new
      text.puts(*lines)
      write(text.string)
      nil
    end

    def print(*parts)
      write(*parts)
      nil
    end

    def <<(part)
      write(part)
      self
    end
  end

  # One connection. If it is lost it is made anew, and what had no answer is sent again.
  class Api
    def initialize(address)
      @host, _, @port = address.rpartition(':')
      @head = "Host: #{address}\r\nUser-Agent: aws-lambda-ruby/#{RUBY_VERSION}-lambkin\r\n"
      @poll = "GET #{BASE}/invocation/next HTTP/1.1\r\n#{@head}\r\n".b
    end

    def next
      ask(@poll).last
    end

    # Sends a result; returns the next event. A result that was refused is dropped, as AWS's client drops it.
    def finish(request)
      ask(request, @poll).last
    end

    def post(path, body, more = '', type = 'application/json')
      "POST #{BASE}#{path} HTTP/1.1\r\nContent-Type: #{type}\r\nContent-Length: #{body.bytesize}\r\n#{more}#{@head}\r\n".b << body.b
    end

    # All of them in one write; returns their answers.
    def ask(*requests)
      answers = []
      begin
        connect unless @socket
        @socket.write(requests.drop(answers.size).join)
        while answers.size < requests.size
          answers << receive
          @answered = true
        end
        answers
      rescue SystemCallError, IOError => e
        abort("lambkin runtime client: no connection to the Runtime API: #{e.message}") unless @answered
        @socket.close
        @socket = nil
        retry
      end
    end

    private

    def connect
      @answered = false
      @socket = TCPSocket.new(@host, @port)
      @socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
    end

    # [status, headers by lower-case name, body]
    def receive
      line = take_line
      status = line[%r{\AHTTP/1\.[01] (\d{3})}, 1] or abort('lambkin runtime client: the Runtime API sent no answer of a known kind')
      headers = {}
      until (line = take_line).empty?
        name, _, value = line.partition(':')
        headers[name.downcase] = value.strip.force_encoding('UTF-8')
      end
      return receive if status.start_with?('1')

      length = Integer(headers.fetch('content-length', '0'), 10)
      body = length.zero? ? +'' : @socket.read(length)
      raise EOFError, 'it was closed' if body.nil? || body.bytesize < length

      [status.to_i, headers, body]
    end

    def take_line
      (@socket.gets("\r\n") or raise EOFError, 'it was closed').chomp("\r\n")
    end
  end

  # What a handler is told about its invocation.
  class Context
    attr_reader :aws_request_id, :invoked_function_arn, :log_group_name, :log_stream_name, :function_name,
                :memory_limit_in_mb, :function_version, :identity, :client_context, :deadline_ms, :tenant_id

    def initialize(headers)
      @aws_request_id = headers['lambda-runtime-aws-request-id']
      @invoked_function_arn = headers['lambda-runtime-invoked-function-arn']
      @deadline_ms = headers['lambda-runtime-deadline-ms'].to_i
      @tenant_id = headers['lambda-runtime-aws-tenant-id']
      @identity = parse(headers['lambda-runtime-cognito-identity'])
      @client_context = parse(headers['lambda-runtime-client-context'])
      @log_group_name = ENV['AWS_LAMBDA_LOG_GROUP_NAME']
      @log_stream_name = ENV['AWS_LAMBDA_LOG_STREAM_NAME']
      @function_name = ENV['AWS_LAMBDA_FUNCTION_NAME']
      @memory_limit_in_mb = ENV['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']
      @function_version = ENV['AWS_LAMBDA_FUNCTION_VERSION']
    end

    def get_remaining_time_in_millis
      [@deadline_ms - Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond), 0].max
    end

    private

    def parse(text)
      JSON.parse(text) if text && !text.empty?
    end
  end

  module_function

  # The method that a handler string names, as something to call.
  def load_handler(text)
    file, *rest = text.split('.')
    unless [1, 2].include?(rest.size)
      raise ArgumentError, "Invalid handler #{text.split('.')}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD " \
                           'where FILENAME corresponds with an existing Ruby source file FILENAME.rb, CLASS is an optional ' \
                           'module/class namespace and METHOD is a callable method. If using CLASS, METHOD must be a class-level method.'
    end
    $LOAD_PATH.unshift(Dir.pwd)
    require file
    receiver = rest.size == 2 ? Kernel.const_get(rest[0]) : TOPLEVEL_BINDING.receiver
    name = rest.last
    ->(event, context) { receiver.send(name, event: event, context: context) }
  end

  def document_of(error, prefix)
    frames = (error.backtrace_locations || []).take(100).map(&:to_s)
    frames = frames.take_while { |frame| !frame.start_with?("#{OWN}/") }
    { errorMessage: error.message.dup.force_encoding('UTF-8').scrub, errorType: "#{prefix}<#{error.class}>", stackTrace: frames }
  end

  def kind_header(error, prefix)
    kind = NAMED.include?(error.class.to_s) ? error.class.to_s : 'UserException'
    prefix = 'Function' if kind == 'UserException'
    "Lambda-Runtime-Function-Error-Type: #{prefix}<#{kind}>\r\n"
  end

  def report(error, prefix, line, sink)
    document = document_of(error, prefix)
    sink.write("#{line}\n#{JSON.pretty_generate(document)}\n")
    JSON.generate(document)
  end

  # [body, content type]
  def marshal(result)
    case result
    when StringIO, IO then [result.read, 'application/unknown']
    else [result.to_json, 'application/json']
    end
  end

  def call(handler, headers, body, api)
    json = headers.fetch('content-type', 'application/json').start_with?('application/json')
    event = json ? JSON.parse(body.force_encoding('UTF-8')) : body
    answer, type = marshal(handler.call(event, Context.new(headers)))
    api.post("/invocation/#{headers['lambda-runtime-aws-request-id']}/response", answer, '', type)
  end

  # After a critical one nobody knows what still works: the process ends.
  def critical?(error)
    !error.is_a?(StandardError) || error.is_a?(NameError)
  end

  def answer(handler, headers, body, api, sink)
    call(handler, headers, body, api)
  rescue Exception => e # rubocop:disable Lint/RescueException also what is no StandardError is the caller's to know
    line = critical?(e) ? 'Critical exception from handler' : 'Error raised from handler method'
    document = report(e, 'Function', line, sink)
    request = api.post("/invocation/#{headers['lambda-runtime-aws-request-id']}/error", document, kind_header(e, 'Function'))
    return request unless critical?(e)

    api.ask(request)
    exit!(-1)
  end

  def prepare(sink)
    STDOUT.sync = STDERR.sync = true
    $stdout = Output.new(sink)
  end

  def main
    sink = Sink.new
    prepare(sink)
    api = Api.new(ENV.fetch('AWS_LAMBDA_RUNTIME_API'))
    name = ENV.fetch('_HANDLER', '')
    begin
      handler = load_handler(name)
    rescue Exception => e # rubocop:disable Lint/RescueException syntax errors and LoadError are no StandardErrors
      document = report(e, 'Init', "Init error when loading handler #{name}", sink)
      api.ask(api.post('/init/error', document, kind_header(e, 'Init')))
      exit!(-4)
    end
    _, headers, body = api.next
    loop do
      ENV['_X_AMZN_TRACE_ID'] = headers['lambda-runtime-trace-id']
      _, headers, body = api.finish(answer(handler, headers, body, api, sink))
    end
  end
end
