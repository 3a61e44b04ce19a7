# frozen_string_literal: true

require 'json'
require 'stringio'

# How events and results become what they are; functions may replace both, as with AWS's client.
module AwsLambda
  module Marshaller
    module_function

    # request['Content-Type'] and other headers, request.body
    def marshall_request(request)
      type = request['Content-Type'] || 'application/json'
      type.partition(';').first.strip == 'application/json' ? JSON.parse(request.body.force_encoding('UTF-8')) : request.body
    end

    # The body, or it and a content type: application/unknown is an IO that is read.
    def marshall_response(result)
      case result
      when StringIO, IO then [result, 'application/unknown']
      else result.to_json
      end
    end
  end
end

module Lambkin
  OWN = "#{File.dirname(__dir__)}/"
  # Of these AWS names the class in the header of an error, of no others.
  NAMED = %w[ArgumentError NoMethodError Exception StandardError NameError LoadError SystemExit SystemStackError].freeze

  # An event as it came.
  class Request
    attr_reader :body

    def initialize(headers, body)
      @headers = headers
      @body = body
    end

    def [](name)
      @headers[name.downcase]
    end
  end

  # What a handler is told about its invocation.
  class Context
    attr_reader :aws_request_id, :invoked_function_arn, :log_group_name, :log_stream_name, :function_name,
                :memory_limit_in_mb, :function_version, :identity, :client_context, :deadline_ms, :tenant_id

    def initialize(request)
      @aws_request_id = request['Lambda-Runtime-Aws-Request-Id']
      @invoked_function_arn = request['Lambda-Runtime-Invoked-Function-Arn']
      @deadline_ms = request['Lambda-Runtime-Deadline-Ms'].to_i
      @tenant_id = request['Lambda-Runtime-Aws-Tenant-Id']
      @identity = parse(request['Lambda-Runtime-Cognito-Identity'])
      @client_context = parse(request['Lambda-Runtime-Client-Context'])
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

  # What a handler string names.
  class Handler
    def initialize(text)
      parts = text.split('.')
      unless [2, 3].include?(parts.size)
        raise ArgumentError, "Invalid handler #{parts}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD where FILENAME " \
                             'corresponds with an existing Ruby source file FILENAME.rb, CLASS is an optional module/class namespace ' \
                             'and METHOD is a callable method. If using CLASS, METHOD must be a class-level method.'
      end
      @method = parts.last
      @namespace = parts[1] if parts.size == 3
      $LOAD_PATH.unshift(Dir.pwd) unless $LOAD_PATH.first == Dir.pwd
      require parts.first
    end

    # [body, content type]
    def call(request)
      event = AwsLambda::Marshaller.marshall_request(request)
      receiver = @namespace ? Kernel.const_get(@namespace) : TOPLEVEL_BINDING.receiver
      result = receiver.send(@method, event: event, context: Context.new(request))
      body, type = AwsLambda::Marshaller.marshall_response(result)
      body = body.read || '' if type == 'application/unknown'
      [body.to_s, type || 'application/json']
    end
  end

  module_function

  def document_of(error, prefix)
    frames = (error.backtrace_locations || []).first(100).map(&:to_s)
    frames = frames.take_while { |frame| !frame.start_with?(OWN) }
    { errorMessage: Log.clean(message_of(error)), errorType: "#{prefix}<#{error.class}>", stackTrace: frames.map { |frame| Log.clean(frame) } }
  end

  def message_of(error)
    error.message
  rescue Exception # rubocop:disable Lint/RescueException the function's own `message` may do anything
    error.class.to_s
  end

  def kind_header(error, prefix)
    kind = NAMED.include?(error.class.to_s) ? "#{prefix}<#{error.class}>" : 'Function<UserException>'
    "Lambda-Runtime-Function-Error-Type: #{kind}\r\n"
  end
end
