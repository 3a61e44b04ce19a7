# frozen_string_literal: true

require 'socket'

module Lambkin
  BASE = '/2018-06-01/runtime'
  POST_FAILED = -2

  # The Runtime API over one connection. If it is lost it is made anew, and what had no answer is sent again.
  class Api
    def initialize(address)
      @host, _, @port = address.rpartition(':')
      @head = "Host: #{address}\r\nUser-Agent: aws-lambda-ruby/#{RUBY_VERSION}-lambkin\r\n"
      @poll = "GET #{BASE}/invocation/next HTTP/1.1\r\n#{@head}\r\n".b
    end

    # [headers by lower-case name, body] of the next event
    def next
      event(ask(@poll).last)
    end

    # Sends a result; returns the next event. A result that was refused is dropped, as AWS's client drops it.
    def finish(request)
      event(ask(request, @poll).last)
    end

    def post(path, body, type, more = '')
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
        give_up("no connection to the Runtime API: #{e.message}", requests[answers.size]) unless @answered
        @socket.close
        @socket = nil
        retry
      end
    end

    private

    def event(answer)
      status, headers, body = answer
      give_up("the Runtime API answered #{status} when asked for the next event") unless status == 200
      [headers, body]
    end

    def give_up(why, request = '')
      warn "lambkin runtime client: #{why}"
      exit!(request.start_with?('POST') ? POST_FAILED : 1)
    end

    def connect
      @answered = false
      @socket = TCPSocket.new(@host, @port)
      @socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
    end

    # [status, headers, body]
    def receive
      loop do
        status = take_line[%r{\AHTTP/1\.[01] (\d{3})}, 1]
        headers = take_headers
        length = headers.fetch('content-length', '0')
        unless status && length.match?(/\A\d{1,15}\z/) && !headers.key?('transfer-encoding')
          give_up('the Runtime API sent no answer of a known kind')
        end
        return [status.to_i, headers, take(length.to_i)] unless status.start_with?('1')
      end
    end

    def take_headers
      headers = {}
      until (line = take_line).empty?
        name, _, value = line.partition(':')
        headers[name.downcase] = value.strip.force_encoding('UTF-8')
      end
      headers
    end

    def take_line
      line = @socket.gets("\r\n")
      raise EOFError, 'it was closed' unless line&.end_with?("\r\n")

      line.chomp("\r\n")
    end

    def take(length)
      body = length.zero? ? +'' : @socket.read(length)
      raise EOFError, 'it was closed' if body.nil? || body.bytesize < length

      body
    end
  end
end
