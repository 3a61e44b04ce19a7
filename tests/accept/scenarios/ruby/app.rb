# What scenarios.test.js asks of every language.
require 'digest'
require 'logger'

class Custom < StandardError; end

def handler(event:, context:)
  value = event['value']
  case event['do']
  when 'echo' then value
  when 'context' then tell(context)
  when 'environment' then value.to_h { |name| [name, ENV[name]] }
  when 'remaining' then [context.get_remaining_time_in_millis, sleep(value) && context.get_remaining_time_in_millis]
  when 'trace' then ENV['_X_AMZN_TRACE_ID']
  when 'heap' then nil
  when 'log' then Logger.new($stdout).error(value)
  when 'levels' then levels(Logger.new($stdout), value)
  when 'layer' then require('layered') && WORD
  when 'error' then raise ArgumentError, value
  when 'custom' then raise Custom, value
  when 'marshal' then Float::NAN
  when 'sleep' then sleep(value)
  when 'exit' then exit!(value)
  when 'memory' then exhaust
  when 'big' then 'x' * value
  when 'binary' then Digest::SHA256.hexdigest(value.unpack1('m'))
  when 'print' then puts(value)
  end
end

def levels(logger, message)
  %i[debug info warn error].each { |level| logger.public_send(level, "#{message} #{level}") }
end

def exhaust
  kept = []
  loop { kept << 'x' * 10_000_000 }
end

def tell(context)
  { id: context.aws_request_id, name: context.function_name, version: context.function_version, arn: context.invoked_function_arn,
    memory: context.memory_limit_in_mb.to_i, group: context.log_group_name, stream: context.log_stream_name,
    remaining: context.get_remaining_time_in_millis, client: context.client_context&.fetch('custom'),
    identity: context.identity&.fetch('cognitoIdentityId', nil) }
end
