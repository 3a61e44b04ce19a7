"""The Java runtime client, byte by byte. The functions are tests.jar, built once from java/*.java."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest
from random import Random

from platform_mock import ARN, TOP, Client

HERE = TOP / "tests" / "runtimes" / "java"
JAR = TOP / "runtimes" / "java" / "lambkin.jar"
CORE = TOP / "runtimes" / "java" / "client" / "com"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
files = {}


def javac(folder, *sources):
    subprocess.run(["javac", "-cp", JAR, "-d", folder, *sources], check=True)
    return {str(path.relative_to(folder)): path.read_bytes() for path in pathlib.Path(folder).rglob("*.class")}


def setUpModule():
    if not JAR.exists() or not shutil.which("javac"):
        if os.environ.get("LK_MUST_RUN") == "1":
            raise AssertionError("the Java client is not built")
        raise unittest.SkipTest("the Java client is not built")
    with tempfile.TemporaryDirectory() as folder:
        files.update(javac(folder, *HERE.glob("*.java")))


class JavaCase(unittest.TestCase):
    maxDiff = None

    def java(self, handler, more=None, **options):
        client = Client("java", {**files, **(more or {})}, handler, **options)
        self.addCleanup(client.close)
        return client

    def refused(self, handler):
        """The document of each invocation, and that the client lives on."""
        c = self.java(handler)
        first = c.fail()
        self.assertEqual(c.fail(), first)
        return first


class Json(JavaCase):
    def test_every_kind_of_member(self):
        given = {"text": "ä\u0000\U0001f600", "number": -1, "big": 2**62, "boxed": 7, "flag": True, "real": 1.5, "letter": "x", "colour": "GREEN",
                 "exact": 1.10, "huge": 2**70, "bytes": "AAH/", "numbers": [1, 2], "words": ["a", None], "colours": ["RED"],
                 "table": {"RED": [1], "GREEN": []}, "box": {"value": 1000, "more": [2000]}, "numberBox": {"value": 2**40, "more": [1]},
                 "any": {"a": [1, 2.5, True, {"b": 2**80}]}, "maybe": "m", "id": "00000000-0000-4000-8000-000000000001", "date": 1000,
                 "instant": 1.5, "day": [2026, 1, 2], "moment": [2026, 1, 2, 3, 4], "duration": 90.25}
        c = self.java("tests.Handlers::all")
        self.assertEqual(c.call({**given, "hidden": "x", "readOnly": "x", "passing": "x", "URL": "u", "written": True, "unknown": [{}]}),
                         {**given, "readOnly": "read-only", "URL": "u", "written": True})
        what, request = c.invoke({"colours": [], "words": [], "maybe": None})
        self.assertTrue(request.body.startswith(b'{"number":0,"big":0,"flag":false,"real":0.0,"letter":"\\u0000","words":[],"colours":[],"maybe":null,'
                                                b'"readOnly":"read-only",'), request.body)
        for value, text in ((1.5, b'"instant":1.500000000'), ("2026-01-02T03:04:05Z", b'"instant":1767323045.000000000'),
                            ("2026-01-02T03:04:05.25+01:00", b'"instant":1767319445.250000000')):
            self.assertIn(text, c.invoke({"instant": value})[1].body)
        for value in ("2026-01-02", "2026-01-02T00:00:00.000+0000", "2026-01-02T01:00:00+01:00", 1767312000000):
            self.assertEqual(c.call({"date": value})["date"], 1767312000000)

    def test_what_is_taken_though_it_is_of_another_kind(self):
        c = self.java("tests.Handlers::all")
        for given, name, value in (
                ("{number:'12'}", "number", 12), ('{"number":[3]}', "number", 3), ('{"number":""}', "number", 0), ('{"number":null}', "number", 0),
                ('{"number":1.9}', "number", 1), ('{"number":007}', "number", 7), ('{"real":NaN}', "real", "NaN"), ('{"real":"-INF"}', "real", "-Infinity"),
                ('{"text":5}', "text", "5"), ('{"text":true}', "text", "true"), ('{"text":["x"]}', "text", "x"), ('{"text":"a\nb\\c"}', "text", "a\nbc"),
                ('{"words":"one"}', "words", ["one"]), ('{"numbers":4}', "numbers", [4]), ('{"colour":1}', "colour", "GREEN"),
                ('{"colour":"BLUE"}', "colour", None), ('{"box":""}', "box", None), ('{"box":[]}', "box", None), ('{"box":[{"value":5}]}', "box", {"value": 5}),
                ('{"flag":"true"}', "flag", True), ('{"boxed":[]}', "boxed", None), ('{"text":null}', "text", None), ('{"day":"2026-01-02"}', "day", [2026, 1, 2]),
                ('{"duration":"PT1M"}', "duration", 60)):
            with self.subTest(given):
                self.assertEqual(c.call(given.encode()).get(name), value)

    def test_what_is_not_taken(self):
        c = self.java("tests.Handlers::all")
        for given in ("", "{", '{"text":{}}', '{"number":"x"}', '{"number":3000000000}', '{"number":1e400}', '{"text":"a', '{"a" 1}', '[1,2]', '"x"', "{'a':tru}", '{"letter":"xy"}',
                      '{"any":' + "[" * 2000, '{"numbers":[1', '{"number":-}', '{"number":1x}', '{"text":"\\u12"}', '{"any":truex}', '{"date":"soon"}',
                      '{"huge":1e999999999}', '{"instant":1e999999999}', '{"any":' + "1" * 1001 + "}", '{"huge":"' + "1" * 1001 + '"}'):
            with self.subTest(given):
                document = c.fail(given.encode())
                self.assertEqual((document["errorMessage"], document["errorType"]), ("An error occurred during JSON parsing", "java.lang.RuntimeException"))
                self.assertEqual(document["stackTrace"], [])
        self.assertEqual(c.call({"number": 1})["number"], 1)

    def test_events_with_bytes_changed(self):
        event = json.dumps({"text": "a\\\"\u00e4", "number": -1, "real": 1.5e3, "words": ["a", None], "table": {"RED": [1]}, "box": {"value": 1000},
                            "any": {"a": [1, True]}, "day": [2026, 1, 2], "instant": "2026-01-02T03:04:05Z", "maybe": "m", "id": None}).encode()
        c, random = self.java("tests.Handlers::all"), Random(7)
        for _ in range(300):
            changed = bytearray(event)
            for _ in range(random.randint(1, 3)):
                at = random.randrange(len(changed))
                changed[at:at + random.randint(0, 2)] = random.choice((b"", b"{", b"]", b'"', b"\\", b",", b":", b"9", b"e", b"\xff", b"null", b"[[["))
            what, request = c.invoke(bytes(changed))
            if what == "error":
                self.assertRegex(json.loads(request.body)["errorMessage"], "^An error occurred during JSON ", changed)
        self.assertEqual(c.call({"number": 1})["number"], 1)

    def test_whole_events(self):
        for method, event, answer in (
                ("map", '{"b":1,"a":{"c":[1.0,null]},"n":null}', '{"b":1,"a":{"c":[1.0,null]}}'), ("text", '"\\u00e4"', '"ä"'), ("text", "null", "null"),
                ("list", '[{"value":1},{"value":2}]', '[{"value":1},{"value":2}]'), ("nothing", "no JSON", "null"), ("none", "{}", "null")):
            with self.subTest(method):
                what, request = self.java(f"tests.Handlers::{method}").invoke(event.encode())
                self.assertEqual((what, request.body.decode()), ("response", answer))
                self.assertEqual(request.headers["content-type"], "application/json")

    def test_records(self):
        c = self.java("tests.Records::line")
        what, request = c.invoke(b'{"to":[{"name":"n","x":1}],"from":{"y":2,"z":3}}')
        self.assertEqual(request.body, b'{"from":{"x":0,"y":2,"extra":"extra"},"to":[{"x":1,"y":0,"name":"n","extra":"extra"}]}')
        self.assertEqual(c.fail(b"{}")["errorMessage"], "An error occurred during JSON parsing")

    def test_names_of_the_library_of_events(self):
        event = {"Records": [{"body": "b", "eventSourceARN": "arn", "attributes": {"a": "1"}}]}
        self.assertEqual(self.java("com.amazonaws.services.lambda.runtime.events.Events::sqs").call(event), "[b|arn|{a=1}]")
        self.assertEqual(self.java("com.amazonaws.services.lambda.runtime.events.Events::scheduled").call({"detail-type": "d"}), "d")

    def test_a_serializer_of_the_functions_own(self):
        service = {"META-INF/services/com.amazonaws.services.lambda.runtime.CustomPojoSerializer": "tests.Custom\n"}
        self.assertEqual(self.java("tests.Handlers::text", service).call(b"{"), {"custom": "java.lang.String"})
        two = {name: text + "tests.Custom$Other\n" for name, text in service.items()}
        self.assertEqual(self.java("tests.Handlers::text", two).fail()["errorMessage"],
                         "Too many serializers provided inside the META-INF/services folder, only one is allowed")


class Handlers(JavaCase):
    def test_which_method(self):
        for handler, event, answer in (
                ("tests.Handlers::choose", b'"x"', b'"two true"'), ("tests.Handlers::context", b"{}", b'"00000000-0000-4000-8000-000000000001"'),
                ("tests.Handlers$Streams", b"a\xc3\xa4", b"A\xc3\xa4"), ("tests.Handlers::copy", b"\x00\xff", b"\x00\xff"),
                ("tests.Handlers::swallow", b"x", b"null"), ("tests.Handlers$Derived", b'{"value":1,"more":[2]}', b'"1 java.lang.Integer"')):
            with self.subTest(handler):
                what, request = self.java(handler).invoke(event)
                self.assertEqual((what, request.body), ("response", answer))

    def test_what_each_invocation_says(self):
        nowhere = "java.lang.ClassNotFoundException"
        for handler, message, kind in (
                ("", "Invalid handler: `'", None), ("tests.Handlers::", "Invalid handler: `tests.Handlers::'", None),
                ("tests.Nowhere", "Class not found: tests.Nowhere", nowhere),
                ("tests.Handlers$Plain", "Class does not implement an appropriate handler interface: tests.Handlers$Plain", None),
                ("tests.Handlers$Raw", "Class tests.Handlers$Raw does not implement RequestHandler with concrete type parameters", None),
                ("tests.Handlers::nowhere", "No public method named nowhere with appropriate method signature found on class tests.Handlers", None),
                ("tests.Handlers::unfit", "No public method named unfit with appropriate method signature found on class tests.Handlers", None),
                ("tests.Handlers$Inner::get", "Class tests.Handlers$Inner cannot be instantiated because it is a non-static inner class", "java.lang.Exception"),
                ("tests.Handlers$Closed::get", "Class tests.Handlers$Closed has no public zero-argument constructor", "java.lang.Exception")):
            with self.subTest(handler):
                self.assertEqual(self.refused(handler), {"errorMessage": message, **({"errorType": kind} if kind else {})})

    def test_an_init_that_fails(self):
        for handler, message, kind in (
                ("tests.Handlers$Unlucky::get", "böse", "java.lang.IllegalStateException"),
                ("tests.Handlers$Static::get", "Error loading class tests.Handlers$Static", "java.lang.ExceptionInInitializerError")):
            with self.subTest(handler):
                c = self.java(handler, framed=True)
                self.assertEqual(c.init_error(), ("Runtime.BadFunctionCode", {"errorMessage": message, "errorType": kind}, 1))
                self.assertTrue(c.frames()[0].text.startswith(f"{message}: {kind}\n{kind}"), c.frames)

    def test_a_copy_of_the_interfaces_in_the_package(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = javac(folder, *CORE.rglob("*.java"))
        seen = self.java("tests.Handlers::look", copy, env={"MINE": "ä"}).call(["MINE", "LC_CTYPE", "_LAMBDA_TELEMETRY_LOG_FD"])
        self.assertEqual(seen, {"MINE": "ä", "LC_CTYPE": "C.UTF-8", "loader": True, "core": True})

    def test_jars_and_classes(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, data in files.items():
                path = pathlib.Path(folder) / "classes" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            subprocess.run(["jar", "cf", f"{folder}/tests.jar", "-C", f"{folder}/classes", "."], check=True)
            jar = (pathlib.Path(folder) / "tests.jar").read_bytes()
        c = Client("java", {"lib/b.jar": jar, "lib/a.jar": b"no jar", "lib/c.txt": "x"}, "tests.Handlers::text")
        self.addCleanup(c.close)
        self.assertEqual(c.call(b'"x"'), "x")


class Errors(JavaCase):
    def test_what_a_handler_throws(self):
        c = self.java("tests.Handlers::fail", framed=True)
        what, request = c.invoke(b'"plain"')
        document = json.loads(request.body)
        self.assertEqual((what, request.headers["lambda-runtime-function-error-type"]), ("error", "Runtime.UserException"))
        self.assertEqual(list(document), ["errorMessage", "errorType", "stackTrace"])
        self.assertEqual((document["errorMessage"], document["errorType"]), ("böse", "java.lang.IllegalArgumentException"))
        self.assertRegex(document["stackTrace"][0], r"^tests\.Handlers\.fail\(Handlers\.java:\d+\)$")
        self.assertNotIn("lambkin", request.body.decode())
        frame = c.frames()[0]
        self.assertEqual(frame.kind, "a55a0003")
        self.assertRegex(frame.text, r"^böse: java\.lang\.IllegalArgumentException\njava\.lang\.IllegalArgumentException: böse\n\tat tests\.Handlers\.fail")
        self.assertNotIn("at lambkin", frame.text)
        self.assertEqual(c.fail(b'"silent"')["errorMessage"], "java.io.IOException")
        document = c.fail(b'"cause"')
        self.assertEqual((document["errorMessage"], "cause" in document), ("outer", False))
        self.assertIn("Caused by: java.io.IOException: inner", c.frames(2)[-1].text)
        self.assertEqual(c.call(b'"thread"'), "fine")
        self.assertIn('java.lang.IllegalStateException: aside', c.stderr())
        self.assertEqual([c.call(b'"interrupt"'), c.call(b'"interrupted"')], ["interrupted", "false"])

    def test_a_result_that_is_no_json(self):
        c = self.java("tests.Handlers::circle")
        self.assertEqual(c.fail()["errorMessage"], "An error occurred during JSON serialization of response")

    def test_after_what_the_process_ends(self):
        c = self.java("tests.Handlers::fail")
        c.poll()
        c.give(b'"stack"')
        what, request = c.result()
        self.assertEqual((what, json.loads(request.body)["errorType"]), ("error", "java.lang.StackOverflowError"))
        c.answer(202)
        self.assertEqual(c.wait(), 1)
        c = self.java("tests.Handlers::fail")
        c.poll()
        c.give(b'"exit"')
        self.assertEqual(c.wait(), 3)


class Protocol(JavaCase):
    def test_result_and_next_poll_leave_in_one_write(self):
        c = self.java("tests.Handlers::fail")
        c.poll()
        for event, kind in ((b'"x"', "response"), (b'"plain"', "error")):
            before = c.segments()
            c.give(event)
            self.assertEqual(c.result()[0], kind)
            self.assertTrue(c.data.startswith(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"), c.data[:100])
            c.answer(202)
            c.poll()
            self.assertEqual(c.segments() - before, 1)

    def test_a_connection_that_is_lost(self):
        c = self.java("tests.Handlers::text")
        self.assertEqual(c.call(b'"a"'), "a")
        c.drop()
        c.poll()
        c.give(b'"b"')
        self.assertEqual(c.result()[1].body, b'"b"')
        c.drop()
        self.assertEqual(c.result()[1].body, b'"b"')
        c.answer(400)  # it has it already
        c.poll()
        c.drop()
        c.listener.close()
        self.assertEqual(c.wait(), 1)
        self.assertIn("no connection to the Runtime API", c.stderr())

    def test_a_result_that_is_refused(self):
        c = self.java("tests.Handlers::text")
        c.poll()
        c.give(json.dumps("x" * 6291000).encode())
        self.assertEqual(len(c.result()[1].body), 6291002)
        c.answer(413)
        self.assertEqual(c.wait(), 1)


class Context(JavaCase):
    def test_all_of_it(self):
        c = self.java("tests.Handlers::tell")
        told = c.call(Lambda_Runtime_Client_Context=json.dumps({"client": {"installation_id": "i", "app_title": "t", "app_version_name": "n",
                                                                           "app_version_code": "c", "app_package_name": "p", "other": 1},
                                                                "custom": {"a": "ä", "deep": [1, {}]}, "env": {"locale": "de"}}).encode().decode("latin1"),
                      Lambda_Runtime_Cognito_Identity='{"cognitoIdentityId":"id","cognitoIdentityPoolId":"pool"}', Lambda_Runtime_Aws_Tenant_Id="blue")
        trace = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0"
        self.assertTrue(0 < told.pop("remaining") <= 2147483647)
        self.assertEqual(told, {
            "id": c.id, "group": "/aws/lambda/fn", "stream": "2026/01/01/[$LATEST]" + "0" * 32, "name": "fn", "version": "$LATEST", "arn": ARN, "memory": 256,
            "identity": ["id", "pool"], "tenant": "blue", "trace": [trace, trace, None], "custom": {"a": "\\u00e4".encode().decode("unicode_escape"), "deep": "[1, {}]"},
            "environment": {"locale": "de"},
            "client": {"installationId": "i", "appTitle": "t", "appVersionName": "n", "appVersionCode": "c", "appPackageName": "p"}})
        told = c.call(Lambda_Runtime_Trace_Id=None, Lambda_Runtime_Deadline_Ms="1")
        self.assertEqual((told["remaining"], told["identity"], told["trace"], "custom" in told), (0, ["", ""], [None, None, None], False))

    def test_the_trace_of_the_older_ones(self):
        c = self.java("tests.Handlers::tell", runtime="java11")
        trace = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0"
        self.assertEqual(c.call()["trace"], [trace] * 3)
        self.assertEqual(c.call(Lambda_Runtime_Trace_Id=None)["trace"], [None] * 3)


class Logs(JavaCase):
    def test_frames_of_text(self):
        c = self.java("tests.Handlers::log", framed=True)
        c.call(["a\nb", "ä"])
        self.assertEqual([(f.kind, f.text) for f in c.frames(10)], [
            ("a55a0003", "a\nb"), ("a55a0003", "ä"), ("a55a0003", "bytes"), ("a55a0003", "at UNDEFINED"), ("a55a0007", "[TRACE] at TRACE"),
            ("a55a000b", "[DEBUG] at DEBUG"), ("a55a000f", "[INFO] at INFO"), ("a55a0013", "[WARN] at WARN"), ("a55a0017", "[ERROR] at ERROR"),
            ("a55a001b", "[FATAL] at FATAL")])

    def test_frames_of_json(self):
        c = self.java("tests.Handlers::log", framed=True, env={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "ERROR"})
        c.call(["a\n\"b"], Lambda_Runtime_Aws_Tenant_Id="blue")
        frames = c.frames(5)
        self.assertEqual([f.kind for f in frames], ["a55a0002", "a55a0002", "a55a0002", "a55a0016", "a55a001a"])
        self.assertEqual(frames[1].text, "bytes")
        for frame, message, level in ((frames[0], 'a\n"b', "UNDEFINED"), (frames[3], "at ERROR", "ERROR")):
            line = json.loads(frame.text)
            self.assertRegex(line.pop("timestamp"), f"^{TIME}$")
            self.assertEqual(line, {"message": message, "level": level, "AWSRequestId": c.id, "tenantId": "blue"})
            self.assertTrue(frame.text.endswith("}\n"))

    def test_standard_output_and_no_pipe(self):
        c = self.java("tests.Handlers::print")
        c.call(b'"\\u00e4"')
        self.assertEqual((c.stdout(), c.stderr()), ("ä\nno end", "err ä\n"))
        c = self.java("tests.Handlers::log")
        c.call(["a"])
        self.assertTrue(c.stdout().startswith("abytes"))


class Parked(JavaCase):
    def parked(self, handler):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        with theirs:
            c = self.java(handler, env={"BEFORE": "x"}, park=theirs)
        self.assertEqual(ours.recv(1), b"p")
        return c, ours

    def test_a_client_that_waits(self):
        c, ours = self.parked("tests.Handlers::nowhere")
        ours.sendall(f"_HANDLER=tests.Handlers::look\0AWS_LAMBDA_RUNTIME_API={c.api}\0LAMBDA_TASK_ROOT={c.task}\0MINE=ä=b\0EMPTY=\0".encode())
        ours.shutdown(socket.SHUT_WR)
        self.assertEqual(c.call(["MINE", "EMPTY", "BEFORE", "_LAMBKIN_PARKED_FD"]), {"MINE": "ä=b", "EMPTY": "", "loader": True, "core": True})
        self.assertEqual(os.readlink(f"/proc/{c.process.pid}/cwd"), str(c.task))
        self.assertEqual((c.stdout(), c.stderr()), ("", ""))

    def test_one_that_is_not_needed(self):
        c, ours = self.parked("tests.Handlers::look")
        ours.close()
        self.assertEqual((c.wait(), c.stderr()), (0, ""))
