# frozen_string_literal: true

# Runtime client of the managed runtimes ruby3.x: loads the handler, then for ever takes an event, calls the handler and
# sends the result, which leaves in one write with the request for the next event.
require_relative 'lambkin_log'
require_relative 'lambkin_api'
require_relative 'lambkin_handler'

# AWS's client has loaded these, so functions do not ask for them; most need neither, and they take 20 ms.
module Net
  autoload :HTTP, 'net/http'
end
autoload :URI, 'uri'

module Kernel
  private

  def URI(text) # rubocop:disable Naming/MethodName replaced when the library is there
    require 'uri'
    URI(text)
  end
end

module Lambkin
  CRITICAL = -1
  INIT_FAILED = -4
  OLD_AGE = 4 # of collections: Ruby counts to 3

  module_function

  # Booted ahead of its function, waits for it: then the variables are its own, to the last one.
  def wait_parked
    fd = ENV['_LAMBKIN_PARKED_FD'] or return
    zygote = ENV.key?('_LAMBKIN_ZYGOTE')
    ENV.clear
    become_zygote if zygote
    variables = take_variables(Integer(fd, 10), zygote)
    exit!(0) if variables.empty? # nobody needs it any more
    variables.each do |pair|
      name, _, value = pair.partition('=')
      ENV[name] = value
    end
    Dir.chdir(ENV.fetch('LAMBDA_TASK_ROOT'))
    start_anew if brings_loaded_gems?
  end

  # Goes on in processes that are forked for functions, in their sandboxes, and only there: see src/launch/zygote.h.
  # What has outlived so many collections is old: the next ones leave it alone, and copy no page of it.
  def become_zygote
    OLD_AGE.times { GC.start }
    fork
  end

  def take_variables(fd, announced)
    socket = BasicSocket.for_fd(fd)
    socket.write('p') unless announced
    socket.read.split("\0").reject(&:empty?)
  ensure
    socket&.close
  end

  # The function brings another version of a gem that is loaded by now. An ordinary start would have taken that one.
  def brings_loaded_gems?
    return false unless defined?(Gem)

    names = Gem.loaded_specs.keys
    ENV.fetch('GEM_PATH', '').split(':').any? do |dir|
      names.any? { |name| Dir.exist?("#{dir}/specifications") && !Dir.glob("#{dir}/specifications/#{name}-[0-9]*.gemspec").empty? }
    end
  end

  def start_anew
    arguments = File.binread('/proc/self/cmdline').split("\0")
    exec([File.readlink('/proc/self/exe'), arguments.first], *arguments.drop(1), close_others: false)
  end

  # After a critical one nobody knows what still works: the process ends.
  def critical?(error)
    !error.is_a?(StandardError) || error.is_a?(NameError)
  end

  def report(error, prefix, line)
    document = document_of(error, prefix)
    Log.failure(line, document)
    JSON.generate(document)
  end

  # The request that answers an event.
  def answer(handler, request, api)
    path = "/invocation/#{request['Lambda-Runtime-Aws-Request-Id']}"
    body, type = handler.call(request)
    api.post("#{path}/response", body, type)
  rescue Exception => e # rubocop:disable Lint/RescueException also what is no StandardError is the caller's to know
    document = report(e, 'Function', critical?(e) ? 'Critical exception from handler' : 'Error raised from handler method')
    failure = api.post("#{path}/error", document, 'application/json', kind_header(e, 'Function'))
    return failure unless critical?(e)

    api.ask(failure)
    exit(CRITICAL)
  end

  def load_handler(api)
    name = ENV.fetch('_HANDLER', '')
    Handler.new(name)
  rescue Exception => e # rubocop:disable Lint/RescueException syntax errors and LoadError are no StandardErrors
    document = report(e, 'Init', "Init error when loading handler #{name}")
    api.ask(api.post('/init/error', document, 'application/json', kind_header(e, 'Init')))
    exit(INIT_FAILED)
  end

  def main
    Log.prepare
    api = Api.new(ENV.fetch('AWS_LAMBDA_RUNTIME_API'))
    handler = load_handler(api)
    headers, body = api.next
    loop do
      request = Request.new(headers, body)
      Log.request_id = request['Lambda-Runtime-Aws-Request-Id']
      ENV['_X_AMZN_TRACE_ID'] = request['Lambda-Runtime-Trace-Id']
      headers, body = api.finish(answer(handler, request, api))
    end
  end
end
