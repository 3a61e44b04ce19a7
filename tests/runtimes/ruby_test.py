"""The Ruby runtime client, byte by byte."""
import json
import re
import time
import unittest

from platform_mock import ARN, OK, Client

EVAL = """def handler(event:, context:)
  eval(event)
end
"""
ECHO = "def handler(event:, context:)\n  event\nend\n"
MICROS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}"
TEXT = {level: f"a55a00{2 + (level << 2) + 1:02x}" for level in range(7)}
AS_JSON = {level: f"a55a00{2 + (level << 2):02x}" for level in range(7)}
JSON_LOGS = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}


class RubyCase(unittest.TestCase):
    maxDiff = None

    def ruby(self, source=EVAL, handler="app.handler", **more):
        files = source if isinstance(source, dict) else {"app.rb": source}
        client = Client("ruby", files, handler, **more)
        self.addCleanup(client.close)
        return client


class Protocol(RubyCase):
    def test_result_and_next_poll_leave_in_one_write(self):
        c = self.ruby()
        c.poll()
        for text, kind in zip(("1", "'x' * 10000", "raise ArgumentError"), ("response", "response", "error")):
            before = c.segments()
            c.give(json.dumps(text).encode())
            what, request = c.result()
            self.assertEqual((what, request.reads), (kind, 1))
            self.assertTrue(c.data.startswith(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"), c.data[:100])
            c.answer(202)
            c.poll()
            self.assertEqual(c.segments() - before, 1)

    def test_request_headers(self):
        what, request = self.ruby(ECHO).invoke({"a": "x"})
        self.assertEqual(request.body, b'{"a":"x"}')
        self.assertEqual(request.headers["content-type"], "application/json")
        self.assertNotIn("expect", request.headers)

    def test_six_megabytes_each_way(self):
        c = self.ruby(ECHO)
        event = json.dumps("é" * 3145000, ensure_ascii=False).encode()
        self.assertTrue(c.invoke(event)[1].body == event)
        self.assertEqual(c.call({"small": 1}), {"small": 1})

    def test_event_in_small_pieces(self):
        c = self.ruby("def handler(event:, context:)\n  [event, context.aws_request_id]\nend\n")
        c.poll()
        c.id = "ab"
        for piece in (b"HT", b"TP/1.1 200 OK\r\nlambda-runtime-aws-request-id:ab\r", b"\nContent-LENGTH:  ", b"5 \r\n\r", b"\n", b"[1,", b"2", b"]"):
            c.connection.sendall(piece)
            time.sleep(0.002)  # so that most arrive apart; the test holds either way
        self.assertEqual(c.result()[1].body, b'[[1,2],"ab"]')

    def test_answer_and_event_in_one_piece(self):
        c = self.ruby(ECHO)
        c.poll()
        c.give(b"1")
        c.result()
        c.poll()
        c.connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n" + OK
                             + b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: b\r\nContent-Length: 1\r\n\r\n2")
        c.id = "b"
        self.assertEqual(c.result()[1].body, b"2")

    def test_interim_answers_are_skipped(self):
        c = self.ruby(ECHO)
        c.poll()
        c.connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
        c.give(b"5")
        self.assertEqual(c.result()[1].body, b"5")

    def test_other_than_200_to_next_ends_the_process(self):
        c = self.ruby()
        c.poll()
        c.answer(403, b"{}")
        self.assertEqual(c.wait(), 1)
        self.assertIn("403", c.stderr())

    def test_a_refused_result_does_not_matter(self):
        c = self.ruby(ECHO)
        c.poll()
        for status in (400, 403, 413, 500):
            c.give(b"1")
            c.result()
            c.answer(status, b"{}")
            c.poll()

    def test_unknown_kinds_of_answers_end_the_process(self):
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n1", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                       b"SMTP ready\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"):
            c = self.ruby()
            c.poll()
            c.connection.sendall(answer)
            self.assertEqual(c.wait(), 1, answer)

    def test_closed_while_polling_before_any_answer(self):
        c = self.ruby()
        c.poll()
        c.drop()
        self.assertEqual(c.wait(), 1)
        self.assertIn("no connection to the Runtime API", c.stderr())

    def test_closed_while_polling_polls_again(self):
        c = self.ruby(ECHO)
        self.assertEqual(c.call(1), 1)
        c.drop()
        c.poll()
        c.give(b"2")
        self.assertEqual(c.result()[1].body, b"2")

    def test_closed_after_the_response_before_its_answer_sends_it_again(self):
        c = self.ruby(ECHO)
        self.assertEqual(c.call(1), 1)
        c.give(b"2")
        c.result()
        c.poll()
        c.drop()
        self.assertEqual(c.result()[1].body, b"2")
        c.answer(202)
        c.poll()

    def test_a_result_that_cannot_be_posted(self):
        c = self.ruby("def handler(event:, context:)\n  sleep 0.1\n  event\nend\n")
        c.poll()
        c.give(b"1")
        c.drop()
        c.listener.close()
        self.assertEqual(c.wait(), 254)

    def test_nobody_listens(self):
        c = self.ruby(env={"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"})
        self.assertEqual(c.wait(), 1)
        self.assertIn("Connection refused", c.stderr())

    def test_many_invocations_on_one_connection(self):
        c = self.ruby("$n = 0\ndef handler(event:, context:)\n  $n += 1\nend\n")
        self.assertEqual([c.call() for _ in range(200)], list(range(1, 201)))


class Events(RubyCase):
    def test_values(self):
        c = self.ruby(ECHO)
        for text in (b"null", b"5", b"-1.5", b'"x"', b"[]", b'{"a":[1,null,true]}', '"é€\U0001f600"'.encode()):
            self.assertEqual(c.invoke(text)[1].body, text)

    def test_not_json(self):
        c = self.ruby(ECHO)
        for text in (b"{", b"", b"[1,]", b"1 2", b"{'a': 1}"):
            self.assertEqual(c.fail(text)["errorType"], "Function<JSON::ParserError>", text)
        self.assertEqual(c.call(1), 1)

    def test_deep(self):
        c = self.ruby(ECHO)
        self.assertEqual(c.fail(b"[" * 200000)["errorType"], "Function<JSON::NestingError>")
        self.assertEqual(c.call(1), 1)

    def test_other_content_types_are_strings(self):
        c = self.ruby("def handler(event:, context:)\n  [event.class, event.bytesize]\nend\n")
        self.assertEqual(c.call(b"\x00\xff", Content_Type="application/octet-stream"), ["String", 2])
        self.assertEqual(c.call(b'"x"', Content_Type="application/json; charset=utf-8"), ["String", 1])
        self.assertEqual(c.call(b'"x"', Content_Type=None), ["String", 1])

    def test_a_marshaller_of_the_functions_own(self):
        c = self.ruby("module AwsLambda\n  class << Marshaller\n    def marshall_request(request) = [request['Content-Type'], request.body]\n"
                      "    def marshall_response(result) = [result.join('|'), 'text/plain']\n  end\nend\n"
                      "def handler(event:, context:)\n  event\nend\n")
        what, request = c.invoke(b"raw", Content_Type="text/x")
        self.assertEqual((what, request.body, request.headers["content-type"]), ("response", b"text/x|raw", "text/plain"))


class Results(RubyCase):
    def test_values(self):
        c = self.ruby()
        for code, body in [("nil", "null"), ("'a\"b'", '"a\\"b"'), (":sym", '"sym"'), ("[1, 2.5]", "[1,2.5]"), ("{1 => true, b: nil}", '{"1":true,"b":null}'),
                           ("Class.new { def to_json(*) = '{\"mine\":1}' }.new", '{"mine":1}')]:
            what, request = c.invoke(json.dumps(code).encode())
            self.assertEqual((what, request.body.decode()), ("response", body), code)
            self.assertEqual(request.headers["content-type"], "application/json")

    def test_io_is_sent_as_it_is(self):
        c = self.ruby()
        for code, body in [("require 'stringio'; StringIO.new((0..255).to_a.pack('C*'))", bytes(range(256))), ("File.open('app.rb')", EVAL.encode()),
                           ("StringIO.new('')", b"")]:
            what, request = c.invoke(json.dumps(code).encode())
            self.assertEqual((what, request.body, request.headers["content-type"]), ("response", body, "application/unknown"))

    def test_not_serialisable(self):
        c = self.ruby()
        self.assertEqual(c.fail(b'"Float::NAN"')["errorType"], "Function<JSON::GeneratorError>")
        self.assertEqual(c.fail(json.dumps("\"\\xff\".dup.force_encoding('UTF-8')").encode())["errorType"], "Function<JSON::GeneratorError>")
        self.assertEqual(c.fail(json.dumps("a = []; a << a").encode())["errorType"], "Function<JSON::NestingError>")
        self.assertEqual(c.call(b'"1"'), 1)


class Errors(RubyCase):
    def test_document_header_and_log(self):
        c = self.ruby("def inner\n  raise ArgumentError, 'bäd'\nend\n\ndef handler(event:, context:)\n  inner\nend\n", framed=True)
        what, request = c.invoke()
        self.assertEqual(what, "error")
        document = json.loads(request.body)
        self.assertEqual(list(document), ["errorMessage", "errorType", "stackTrace"])
        self.assertEqual((document["errorMessage"], document["errorType"]), ("bäd", "Function<ArgumentError>"))
        self.assertEqual([re.sub(r"Object#", "", frame.replace("'", "`")) for frame in document["stackTrace"]],
                         [f"{c.task}/app.rb:2:in `inner`", f"{c.task}/app.rb:6:in `handler`"])
        self.assertEqual(request.headers["lambda-runtime-function-error-type"], "Function<ArgumentError>")
        one, two = c.frames(2)
        self.assertEqual((one.kind, one.text), (TEXT[5], "Error raised from handler method\n"))
        self.assertEqual(two.kind, TEXT[5])
        self.assertEqual(json.loads(two.text), document)
        self.assertTrue(two.text.startswith('{\n  "errorMessage": "bäd",\n') and two.text.endswith("\n}\n"), two.text)

    def test_the_log_without_a_pipe(self):
        c = self.ruby()
        c.fail(b'"raise \'x\'"')
        self.assertRegex(c.stdout(), r'^Error raised from handler method\n\{\n  "errorMessage": "x",\n')

    def test_header_names_a_few_classes_only(self):
        c = self.ruby()
        for code, header in [("raise StandardError", "Function<StandardError>"), ("raise 'x'", "Function<UserException>"),
                             ("raise KeyError", "Function<UserException>"), ("class Mine < StandardError; end; raise Mine", "Function<UserException>")]:
            what, request = c.invoke(json.dumps(code).encode())
            self.assertEqual((what, request.headers["lambda-runtime-function-error-type"]), ("error", header), code)

    def test_critical_ones_end_the_process(self):
        for code, kind in [("nil.nothere", "NoMethodError"), ("nothere", "NameError"), ("raise Exception, 'x'", "Exception"), ("exit 3", "SystemExit"),
                           ("raise NotImplementedError", "NotImplementedError"), ("require 'nothere'", "LoadError"), ("raise Interrupt", "Interrupt"),
                           ("def deeper = deeper\ndeeper", "SystemStackError"), ("eval('(')", "SyntaxError")]:
            c = self.ruby(framed=True)
            c.poll()
            c.give(json.dumps(code).encode())
            what, request = c.result()
            self.assertEqual((what, json.loads(request.body)["errorType"]), ("error", f"Function<{kind}>"), code)
            c.answer(202)
            self.assertEqual(c.wait(), 255, code)
            self.assertEqual(c.frames(1)[0].text, "Critical exception from handler\n")

    def test_exits_at_once(self):
        c = self.ruby()
        c.poll()
        c.give(b'"exit!(4)"')
        self.assertEqual(c.wait(), 4)

    def test_at_exit_runs(self):
        c = self.ruby("at_exit { STDOUT.write('bye') }\ndef handler(event:, context:)\n  exit\nend\n")
        c.poll()
        c.give()
        c.result()
        c.answer(202)
        self.assertEqual((c.wait(), c.stdout()[-3:]), (255, "bye"))

    def test_stack_of_a_hundred(self):
        c = self.ruby("def deep(n)\n  n.zero? ? raise('x') : deep(n - 1)\nend\ndef handler(event:, context:)\n  deep(150)\nend\n")
        self.assertEqual(len(c.fail()["stackTrace"]), 100)

    def test_no_backtrace_and_odd_messages(self):
        c = self.ruby("class Odd < StandardError\n  def message = raise('no')\nend\ndef handler(event:, context:)\n  eval(event)\nend\n")
        self.assertEqual(c.fail(b'"raise Odd"')["errorMessage"], "Odd")
        self.assertEqual(c.fail(json.dumps("raise \"\\xff\"").encode())["errorMessage"], "\ufffd")
        self.assertEqual(c.fail(json.dumps("raise 'ä'.encode('UTF-16LE')").encode())["errorMessage"], "ä")


class Loading(RubyCase):
    def breaks(self, source, kind, message, header=None, handler="app.handler", **more):
        c = self.ruby(source, handler, framed=True, **more)
        named, document, code = c.init_error()
        self.assertEqual((named, document["errorType"], code), (header or kind, kind, 252))
        self.assertRegex(document["errorMessage"], message)
        one, two = c.frames(2)
        self.assertEqual(one.text, f"Init error when loading handler {handler}\n")
        self.assertEqual(json.loads(two.text), document)
        return document

    def test_missing_file(self):
        self.breaks({"other.rb": ""}, "Init<LoadError>", "^cannot load such file -- app$")

    def test_syntax_error(self):
        self.breaks("def handler(\n", "Init<SyntaxError>", r"app\.rb:\d: ", header="Function<UserException>")

    def test_raises(self):
        document = self.breaks("raise ArgumentError, 'at init'\n", "Init<ArgumentError>", "^at init$")
        self.assertRegex(document["stackTrace"][0], r"/app\.rb:1:in ")
        self.breaks("exit 7\n", "Init<SystemExit>", "^exit$")

    def test_bad_handler_strings(self):
        for handler, parts in [("app", r'\["app"\]'), ("a.b.c.d", r'\["a", "b", "c", "d"\]'), ("", r"\[\]")]:
            self.breaks(EVAL, "Init<ArgumentError>", rf"^Invalid handler {parts}, must be of form FILENAME\.METHOD or FILENAME\.CLASS\.METHOD "
                        "where FILENAME corresponds with an existing Ruby source file FILENAME.rb, CLASS is an optional module/class namespace "
                        "and METHOD is a callable method. If using CLASS, METHOD must be a class-level method.$", handler=handler)

    def test_handler_shapes(self):
        own = "class Own\n  def self.run(event:, context:)\n    [event, context.function_name]\n  end\nend\nmodule A\n  class B < Own; end\nend\n"
        for files, handler in [({"app.rb": own}, "app.Own.run"), ({"app.rb": own}, "app.A::B.run"), ({"src/deep/app.rb": own}, "src/deep/app.Own.run")]:
            self.assertEqual(self.ruby(files, handler).call(1), [1, "fn"])

    def test_missing_methods_and_classes(self):
        for handler, kind in [("app.nothere", "NoMethodError"), ("app.Nothere.run", "NameError"), ("app.Object.nothere", "NoMethodError")]:
            c = self.ruby(EVAL, handler)
            c.poll()
            c.give()
            what, request = c.result()
            self.assertEqual((what, json.loads(request.body)["errorType"]), ("error", f"Function<{kind}>"))
            c.answer(202)
            self.assertEqual(c.wait(), 255)

    def test_what_is_loaded_already(self):
        c = self.ruby("PARTS = [Logger, JSON, Time.parse('2020-01-01T00:00:00Z').year, Net::HTTP, URI('http://a/b').path, URI::HTTP]\n"
                      "def handler(event:, context:)\n  PARTS.map(&:to_s)\nend\n")
        self.assertEqual(c.call(), ["Logger", "JSON", "2020", "Net::HTTP", "/b", "URI::HTTP"])

    def test_load_path(self):
        c = self.ruby("def handler(event:, context:)\n  [$LOAD_PATH.first, Dir.pwd]\nend\n")
        self.assertEqual(c.call(), [str(c.task), str(c.task)])


class Contexts(RubyCase):
    MEMBERS = ("aws_request_id", "invoked_function_arn", "function_name", "function_version", "memory_limit_in_mb", "log_group_name",
               "log_stream_name", "identity", "client_context", "tenant_id", "deadline_ms")
    SOURCE = "def handler(event:, context:)\n  %i[" + " ".join(MEMBERS) + "].to_h { |name| [name, context.public_send(name)] }\nend\n"

    def test_members(self):
        c = self.ruby(self.SOURCE)
        self.assertEqual(c.call(), {"aws_request_id": c.id, "invoked_function_arn": ARN, "function_name": "fn", "function_version": "$LATEST",
                                    "memory_limit_in_mb": "256", "log_group_name": "/aws/lambda/fn", "log_stream_name": "2026/01/01/[$LATEST]" + "0" * 32,
                                    "identity": None, "client_context": None, "tenant_id": None, "deadline_ms": 4102444800000})

    def test_client_context_and_identity_are_hashes(self):
        c = self.ruby(self.SOURCE)
        client = {"client": {"installation_id": "i"}, "custom": {"ä": 1}, "env": {}}
        who = {"cognitoIdentityId": "c", "cognitoIdentityPoolId": "p"}
        answer = c.call(b"{}", Lambda_Runtime_Client_Context=json.dumps(client), Lambda_Runtime_Cognito_Identity=json.dumps(who),
                        Lambda_Runtime_Aws_Tenant_Id="t")
        self.assertEqual((answer["client_context"], answer["identity"], answer["tenant_id"]), (client, who, "t"))
        self.assertEqual(c.fail(b"{}", Lambda_Runtime_Client_Context="{")["errorType"], "Function<JSON::ParserError>")

    def test_remaining_time(self):
        c = self.ruby("def handler(event:, context:)\n  context.get_remaining_time_in_millis\nend\n")
        now = int(time.time() * 1000)
        left = c.call(b"{}", Lambda_Runtime_Deadline_Ms=str(now + 60000))
        self.assertTrue(40000 < left <= 60000, left)
        self.assertEqual(c.call(b"{}", Lambda_Runtime_Deadline_Ms=str(now - 1)), 0)

    def test_trace_header(self):
        c = self.ruby("def handler(event:, context:)\n  ENV['_X_AMZN_TRACE_ID']\nend\n")
        self.assertEqual(c.call(b"{}", Lambda_Runtime_Trace_Id="Root=1-a"), "Root=1-a")
        self.assertIsNone(c.call(b"{}", Lambda_Runtime_Trace_Id=None))

    def test_variables(self):
        c = self.ruby("def handler(event:, context:)\n  [ENV['ÜMLAUT'], ENV['ÜMLAUT'].encoding, ENV['_LAMBDA_TELEMETRY_LOG_FD'], ENV['GEM_PATH']]\nend\n",
                      env={"ÜMLAUT": "Grün"}, framed=True)
        task = str(c.task)
        self.assertEqual(c.call()[:3], ["Grün", "UTF-8", None])
        self.assertTrue(c.call()[3].startswith(f"{task}/vendor/bundle/ruby/3.3.0:/opt/ruby/gems/3.3.0:"))


class Logs(RubyCase):
    def test_puts_is_one_event(self):
        c = self.ruby(framed=True)
        for code, text in [("puts 'a'", "a\n"), ("puts \"a\\nb\\n\"", "a\nb\n"), ("puts 'a', [1, [:b, nil]]", "a\n1\nb\n"), ("puts", "\n"),
                           ("puts \"\\xff\"", "\ufffd\n"), ("puts 'ä'.encode('ISO-8859-1')", "ä\n"), ("puts []", "\n")]:
            before = time.time()
            self.assertIsNone(c.call(json.dumps(code).encode()))
            frame, = c.frames()
            self.assertEqual((frame.kind, frame.text), (TEXT[0], text), code)
            self.assertTrue(before - 1 <= frame.time / 1e6 <= time.time() + 1)
        self.assertEqual(c.stdout(), "")

    def test_others_are_output(self):
        c = self.ruby(framed=True)
        c.call(json.dumps("print 'a', 1\np :b\n$stdout.puts 'c'\nSTDOUT.write('d')\n$stderr.puts 'e'\nwarn 'f'\n$stdout << 'g'\nnil").encode())
        self.assertEqual((c.stdout(), c.stderr()), ("a1:b\nc\ndg", "e\nf\n"))

    def test_puts_without_a_pipe(self):
        c = self.ruby()
        c.call(b'"puts \'a\', [1]"')
        self.assertEqual(c.stdout(), "a\n1\n")

    def test_logger(self):
        c = self.ruby("LOG = Logger.new($stdout, progname: 'me')\nLOG.info('init')\ndef handler(event:, context:)\n  %i[debug info warn error fatal "
                      "unknown].each { |level| LOG.public_send(level, \"#{level}\\nmore\") }\n  LOG.error(RuntimeError.new('böom'))\n  nil\nend\n", framed=True)
        c.call()
        frames = c.frames(8)
        pid = c.process.pid
        self.assertRegex(frames[0].text, rf"^I, \[{MICROS} #{pid}\]  INFO  -- me: init\n$")
        for frame, level, name in zip(frames[1:7], (2, 3, 4, 5, 6, 0), ("DEBUG", " INFO", " WARN", "ERROR", "FATAL", "  ANY")):
            self.assertEqual(frame.kind, TEXT[level])
            self.assertRegex(frame.text, rf"^{name.strip()[0]}, \[{MICROS} #{pid}\] {name} {c.id} -- me: {'unknown' if level == 0 else name.strip().lower()}\nmore\n$")
        self.assertRegex(frames[7].text, r"-- me: böom \(RuntimeError\)\n$")

    def test_which_loggers(self):
        c = self.ruby(framed=True)
        for code in ("Logger.new(nil)", "Logger.new($stdout)", "Logger.new($stderr)", "Logger.new(STDOUT)", "Logger.new($stdout, 0, 0, level: :debug)"):
            c.call(json.dumps(code + ".info('x')").encode())
            self.assertRegex(c.frames()[0].text, r"^I, .* -- : x\n$")
        c.call(json.dumps("io = StringIO.new\nLogger.new(io).info('mine')\nSTDOUT.write(io.string)\nnil").encode())
        self.assertRegex(c.stdout(), r"^I, \[\S+ #\d+\]  INFO -- : mine\n$")

    def test_formats_of_the_functions_own(self):
        c = self.ruby(framed=True)
        c.call(json.dumps("l = Logger.new($stdout, formatter: ->(s, _, _, m) { \"#{s}!#{m}\" })\nl.warn('x')\nl << 'raw'\nnil").encode())
        self.assertEqual([(f.kind, f.text) for f in c.frames(2)], [(TEXT[4], "WARN!x"), (TEXT[0], "raw")])
        c.call(json.dumps("l = Logger.new($stdout, datetime_format: '%Y')\nl.level = :error\nl.warn('no')\nl.error('yes')\nnil").encode())
        self.assertRegex(c.frames()[0].text, r"^E, \[\d{4} #\d+\] ERROR \S+ -- : yes\n$")

    def test_logger_without_a_pipe(self):
        c = self.ruby()
        c.call(b'"Logger.new($stdout).info(\'x\')"')
        self.assertRegex(c.stdout(), rf"^I, \[{MICROS} #\d+\]  INFO {c.id} -- : x\n$")

    def test_json(self):
        c = self.ruby(framed=True, env=JSON_LOGS)
        c.call(json.dumps("l = Logger.new($stdout, progname: 'me')\nl.debug('no')\nl.info(\"a\\nb\")\nl.warn({a: 1})\nputs 'plain'\nnil").encode())
        one, two, three = c.frames(3)
        self.assertEqual((one.kind, two.kind, three.kind, three.text), (AS_JSON[3], AS_JSON[4], TEXT[0], "plain\n"))
        line = json.loads(one.text)
        self.assertRegex(line.pop("timestamp"), f"^{MICROS}Z$")
        self.assertEqual(line, {"level": "INFO", "message": "a\nb", "requestId": c.id, "logger": "me"})
        self.assertEqual(one.text[-2:], "}\n")
        self.assertIn(json.loads(two.text)["message"], ("{:a=>1}", "{a: 1}"))

    def test_json_of_an_exception(self):
        c = self.ruby("def handler(event:, context:)\n  raise ArgumentError, 'bäd'\nrescue ArgumentError => e\n  Logger.new($stdout).error(e)\n  nil\nend\n",
                      framed=True, env=JSON_LOGS)
        c.call()
        line = json.loads(c.frames()[0].text)
        self.assertEqual((line["message"], line["errorType"], line["errorMessage"], line["requestId"]), ("bäd", "ArgumentError", "bäd", c.id))
        self.assertRegex(line["stackTrace"][0], r"/app\.rb:2:in .*handler'$")
        self.assertRegex(line["location"], r"/app\.rb:.*handler:2$")

    def test_json_of_a_failure(self):
        c = self.ruby(framed=True, env=JSON_LOGS)
        document = c.fail(b'"raise \'x\'"')
        frame, = c.frames()
        line = json.loads(frame.text)
        self.assertEqual(frame.kind, AS_JSON[5])
        self.assertRegex(line.pop("timestamp"), f"^{MICROS}Z$")
        self.assertEqual(line, {"level": "ERROR", "message": "Error raised from handler method", "requestId": c.id, **document})

    def test_level(self):
        for level, count in [("TRACE", 4), ("debug", 4), ("WARN", 2), ("FATAL", 0)]:
            c = self.ruby(framed=True, env={**JSON_LOGS, "AWS_LAMBDA_LOG_LEVEL": level})
            c.call(json.dumps("l = Logger.new($stdout)\n%i[debug info warn error].each { |n| l.public_send(n, 'x') }\nputs 'end'\nnil").encode())
            self.assertEqual([json.loads(f.text)["message"] for f in c.frames(count + 1)[:-1]], ["x"] * count, level)

    def test_threads_do_not_mix(self):
        c = self.ruby(framed=True)
        c.call(json.dumps("8.times.map { |n| Thread.new { 50.times { puts n.to_s * 100 } } }.each(&:join)\nnil").encode())
        frames = c.frames(400)
        self.assertEqual(len(frames), 400)
        self.assertTrue(all(re.fullmatch(r"(\d)\1{99}\n", frame.text) for frame in frames))


class Parked(RubyCase):
    def test_waits_and_takes_the_variables(self):
        import socket
        ours, theirs = socket.socketpair()
        with ours:
            # as a start that knows of its function later: what it is told replaces what it was started with
            c = Client("ruby", {"app.rb": "def handler(event:, context:)\n  [ENV.to_h, Dir.pwd]\nend\n"}, "none", park=theirs)
            self.addCleanup(c.close)
            theirs.close()
            self.assertEqual(ours.recv(1), b"p")
            variables = {"AWS_LAMBDA_RUNTIME_API": c.api, "_HANDLER": "app.handler", "LAMBDA_TASK_ROOT": str(c.task), "MINE": "a=b\nÜ", "EMPTY": ""}
            ours.sendall(b"".join(f"{k}={v}".encode() + b"\0" for k, v in variables.items()))
            ours.shutdown(socket.SHUT_WR)
            seen, pwd = c.call(b"{}", Lambda_Runtime_Trace_Id=None)
        self.assertEqual((seen, pwd), (variables, str(c.task)))

    def test_is_not_needed(self):
        import socket
        ours, theirs = socket.socketpair()
        c = Client("ruby", {}, "none", park=theirs)
        self.addCleanup(c.close)
        theirs.close()
        self.assertEqual(ours.recv(1), b"p")
        ours.close()
        self.assertEqual(c.wait(), 0)

    def test_a_gem_of_the_functions_own_is_taken_instead(self):
        import socket
        spec = "Gem::Specification.new { |s| s.name = 'json'; s.version = '99.0.0'; s.summary = 'x'; s.authors = ['x']; s.require_paths = ['lib'] }\n"
        files = {"gems/specifications/json-99.0.0.gemspec": spec, "gems/gems/json-99.0.0/lib/json.rb":
                 "module JSON\n  VERSION = '99'\n  def self.generate(*) = '\"99\"'\n  def self.parse(*) = nil\nend\nclass Object\n  def to_json(*) = '\"99\"'\nend\n",
                 "app.rb": "def handler(event:, context:)\n  JSON::VERSION\nend\n"}
        ours, theirs = socket.socketpair()
        c = Client("ruby", files, "none", park=theirs)
        self.addCleanup(c.close)
        theirs.close()
        self.assertEqual(ours.recv(1), b"p")
        variables = {"AWS_LAMBDA_RUNTIME_API": c.api, "_HANDLER": "app.handler", "LAMBDA_TASK_ROOT": str(c.task), "GEM_PATH": f"{c.task}/gems",
                     "GEM_HOME": f"{c.task}/gems", "RUBYLIB": str(c.task), "LC_CTYPE": "C.UTF-8", "PATH": "/usr/bin:/bin"}
        ours.sendall(b"".join(f"{k}={v}".encode() + b"\0" for k, v in variables.items()))
        ours.close()
        self.assertEqual(c.call(), "99")


if __name__ == "__main__":
    unittest.main()
