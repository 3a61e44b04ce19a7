"""The .NET runtime client, byte by byte. The functions are Tests.dll, built once from dotnet/Handlers.cs."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from platform_mock import ARN, TOP, Client

BUILD = TOP / "tests" / "support" / "dotnet" / "build"
HERE = TOP / "tests" / "runtimes" / "dotnet"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
FORMAT = "The valid format is 'ASSEMBLY::TYPE::METHOD'."
files = {}


def setUpModule():
    if not (TOP / "runtimes" / "dotnet" / "lambkin.dll").exists():
        if os.environ.get("LK_MUST_RUN") == "1":
            raise AssertionError("the .NET client is not built")
        raise unittest.SkipTest("the .NET client is not built")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([BUILD, folder, "Tests", HERE / "Handlers.cs"], check=True)
        files.update({path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()})


class DotnetCase(unittest.TestCase):
    maxDiff = None

    def dotnet(self, handler, more=None, **options):
        handler = handler if "::" in handler or not handler.startswith("Tests.") else f"Tests::{handler.rpartition('.')[0]}::{handler.rpartition('.')[2]}"
        client = Client("dotnet", {**files, **(more or {})}, handler, **options)
        self.addCleanup(client.close)
        return client


class Handlers(DotnetCase):
    def test_shapes(self):
        for method, event, answer in (
                ("Text", b'"\xc3\xa4"', '"ä"'), ("Poco", b'{"name":"a","Number":1}', '{"Name":"afn","Number":2}'), ("Number", b"41", "42"),
                ("Static", b'"x"', '"static x"'), ("Nothing", b'"x"', ""), ("NoInput", b"not JSON", '"none"'),
                ("OnlyContext", b"{}", '"00000000-0000-4000-8000-000000000001"'), ("Streams", b"\x00\xff", "\x00\xff"), ("NoStream", b"1", ""),
                ("LaterStream", b"1", "1"), ("Later", b'"x"', '"x"'), ("LaterNothing", b'"x"', ""), ("LaterNumber", b"4", "8"),
                ("ValueLater", b'"x"', '"x"'), ("ValueNothing", b'"x"', ""), ("Map", b'{"a":[1]}', '{"a":[1]}'), ("Null", b'"x"', "null")):
            with self.subTest(method):
                what, request = self.dotnet(f"Tests.Shapes.{method}").invoke(event)
                self.assertEqual((what, request.body), ("response", answer.encode("latin1" if method == "Streams" else "utf8")))
                self.assertEqual(request.headers["content-type"], "application/json")

    def test_which_method(self):
        for handler, answer in (("Tests::Tests.Shapes::Inherited", "base x"), ("Tests::Tests.Shapes::Hidden", "hidden x"),
                                ("Tests::Tests.Shapes+Nested::Inner", "nested x"), ("Tests::Tests.Abstract::Static", "x"),
                                ("Tests::Tests.Shapes::System.String Overloaded(System.String)", "string")):
            self.assertEqual(self.dotnet(handler).call(b'"x"'), answer)

    def test_what_is_refused(self):
        cannot = "The method '{}' cannot be used as a Lambda Handler because it is "
        for handler, message in (
                ("Tests::Tests.Shapes", f"Invalid lambda function handler: 'Tests::Tests.Shapes'. {FORMAT}"),
                ("::Tests.Shapes::Text", f"Invalid lambda function handler: '::Tests.Shapes::Text', the assembly is missing. {FORMAT}"),
                ("Tests:: ::Text", f"Invalid lambda function handler: 'Tests:: ::Text', the type is missing. {FORMAT}"),
                ("Tests::Tests.Shapes::", f"Invalid lambda function handler: 'Tests::Tests.Shapes::', the method is missing. {FORMAT}"),
                ("Nothere::A::B", "Could not find the specified handler assembly with the file name 'Nothere, Culture=neutral, PublicKeyToken=null'. "
                                  "The assembly should be located in the root of your uploaded .zip file."),
                ("Bad::A::B", "Unable to load assembly 'Bad'."),
                ("Tests::Tests.None::Text", "Unable to load type 'Tests.None' from assembly 'Tests'."),
                ("Tests::Tests.Shapes::None", "Unable to find method 'None' in type 'Tests.Shapes' from assembly 'Tests': "
                                              "Found no methods matching method name 'None'."),
                ("Tests::Tests.Shapes::Overloaded", "The method 'Overloaded' in type 'Tests.Shapes' appears to have a number of overloads. To call this "
                 "method please specify a complete method signature. Possible candidates are:\nSystem.String Overloaded(System.String)\n"
                 "System.String Overloaded(Int32)."),
                ("Tests::Tests.Generic`1::Method", "The type 'Tests.Generic`1[T]' cannot be used as a Lambda Handler type because it is generic. "
                 "Handler methods cannot be located in generic types. Please specify a handler method in a non-generic type."),
                ("Tests::Tests.IHandler::Method", "The type 'Tests.IHandler' cannot be used as a handler type since it is not a class or a struct. "
                                                  "Please specify a handler method on a class or struct."),
                ("Tests::Tests.Abstract::Instance", "The instance method 'System.String Instance(System.String)' cannot be used as a Lambda Handler because "
                 "its type 'Tests.Abstract' is abstract. Please either use a static handler or specify a type that is not abstract."),
                ("Tests::Tests.Abstract::Empty", cannot.format("System.String Empty(System.String)") +
                 "an abstract method. Handler methods cannot be abstract. Please specify a non-abstract handler method."),
                ("Tests::Tests.Rejected::Method", cannot.format("T Method[T](T)") +
                 "a generic method. Handler methods cannot be generic. Please specify a non-generic handler method."),
                ("Tests::Tests.Rejected::Void", cannot.format("Void Void(System.String)") +
                 "an 'async void' method. Handler methods cannot be 'async void'. Please specify a method that is not 'async void'."),
                ("Tests::Tests.Rejected::Params", cannot.format("System.String Params(System.String[])") +
                 "a 'params' method. Please specify a method that does not use 'params'."),
                ("Tests::Tests.Rejected::Three", "Method 'Three' of type 'Tests.Rejected' is not supported: the method has more than 2 parameters."),
                ("Tests::Tests.Rejected::Second", "Method 'Second' of type 'Tests.Rejected' is not supported: the method has 2 parameters, but the second "
                                                  "parameter is not of type 'Amazon.Lambda.Core.ILambdaContext'.")):
            with self.subTest(handler):
                c = self.dotnet(handler, {"Bad.dll": b"no assembly"})
                kind, document, code = c.init_error()
                self.assertEqual((kind, document["errorType"], document["errorMessage"]), ("LambdaValidationException",) * 2 + (message,))
                self.assertEqual(code, -6)  # rethrown: the process aborts

    def test_no_serializer(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([BUILD, folder, "Plain", HERE / "Plain.cs"], check=True)
            plain = {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}
        for method, doing in (("In", "deserialize input"), ("Out", "serialize output")):
            c = Client("dotnet", plain, f"Plain::Plain::{method}")
            self.addCleanup(c.close)
            message = c.init_error()[1]["errorMessage"]
            self.assertRegex(message, rf"^Could not find the LambdaSerializerAttribute on the assembly 'Plain, .*' or method '.*{method}\(.*\)' while "
                                      rf"attempting to {doing} data of type 'System\.String'\. To use types other than System\.IO\.Stream")
        c = Client("dotnet", plain, "Plain::Plain::Mine")
        self.addCleanup(c.close)
        self.assertEqual(c.call(b'"x"'), "x")  # by an attribute of its own

    def test_the_type_is_made_once_and_in_the_init(self):
        c = self.dotnet("Tests.Shapes.Counts")
        self.assertEqual([c.call(), c.call()], [1, 2])
        c = self.dotnet("Tests.Static.Method")
        c.poll()
        self.assertIn("type constructor", c.stdout())

    def test_a_constructor_that_throws(self):
        c = self.dotnet("Tests.Throws.Method")
        kind, document, code = c.init_error()
        self.assertEqual((kind, document["errorMessage"], code), ("InvalidOperationException", 'böse "x"\n', -6))
        self.assertIn("\tfail\tSystem.InvalidOperationException: böse", c.stdout())
        self.assertIn("Unhandled exception.", c.stderr())


class Protocol(DotnetCase):
    def test_result_and_next_poll_leave_in_one_write(self):
        c = self.dotnet("Tests.Errors.Throw")
        c.poll()
        for event, kind in ((b'"x"', "response"), (b'"plain"', "error")):
            before = c.segments()
            c.give(event)
            self.assertEqual(c.result()[0], kind)
            self.assertTrue(c.data.startswith(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"), c.data[:100])
            c.answer(202)
            c.poll()
            self.assertEqual(c.segments() - before, 1)

    def test_six_megabytes_each_way_and_no_more(self):
        c = self.dotnet("Tests.Shapes.Text")
        event = json.dumps("é" * 3145000, ensure_ascii=False).encode()
        self.assertTrue(c.invoke(event)[1].body == event)
        c = self.dotnet("Tests.Shapes.Big")
        self.assertEqual(len(c.invoke(b"6291556")[1].body), 6291556)
        self.assertEqual(c.fail(b"6291557")["errorMessage"], "The Lambda function returned a response that is too long to serialize. "
                         "The response size limit for a Lambda function is 6MB.")

    def test_lost_connections(self):
        c = self.dotnet("Tests.Shapes.Text")
        c.poll()
        c.drop()
        self.assertEqual(c.wait(), 1)
        self.assertIn("no connection to the Runtime API", c.stderr())
        c = self.dotnet("Tests.Shapes.Text")
        self.assertEqual(c.call(b'"1"'), "1")
        c.give(b'"2"')
        c.result()
        c.poll()
        c.drop()
        self.assertEqual(c.result()[1].body, b'"2"')
        c.answer(400, b"{}")
        c.poll()
        c.drop()
        c.poll()
        c.give(b'"3"')
        self.assertEqual(c.result()[1].body, b'"3"')

    def test_refusals_end_the_process(self):
        for step in ("next", "response"):
            c = self.dotnet("Tests.Shapes.Text")
            c.poll()
            if step == "response":
                c.give(b'"1"')
                c.result()
            c.answer(403, b"{}")
            self.assertEqual(c.wait(), 1)
            self.assertIn("403", c.stderr())
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n1", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"SMTP ready\r\n\r\n"):
            c = self.dotnet("Tests.Shapes.Text")
            c.poll()
            c.connection.sendall(answer)
            self.assertEqual(c.wait(), 1, answer)

    def test_answer_and_event_in_one_piece_and_in_many(self):
        c = self.dotnet("Tests.Shapes.Text")
        c.poll()
        c.give(b'"1"')
        c.result()
        c.poll()
        c.connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
                             b"HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id:b\r\nContent-LENGTH:  3\r\n\r\n\"2")
        c.connection.sendall(b'"')
        c.id = "b"
        self.assertEqual(c.result()[1].body, b'"2"')


class ErrorDocuments(DotnetCase):
    def body(self, what, method="Throw"):
        what, request = self.dotnet(f"Tests.Errors.{method}").invoke(json.dumps(what).encode())
        self.assertEqual(what, "error")
        return request

    def test_layout(self):
        request = self.body("plain")
        self.assertEqual(request.headers["lambda-runtime-function-error-type"], "Custom")
        self.assertEqual(request.body.decode(), '{\n  "errorType": "Custom",\n  "errorMessage": "böse \\"x\\"\\n\\u0001",\n  "stackTrace": [\n'
                         '    "at Tests.Errors.Throw(String what)"\n  ]\n}\n')

    def test_causes(self):
        frame = '"stackTrace": [\n    "at Tests.Errors.Throw(String what)"\n  ]'
        self.assertEqual(self.body("inner").body.decode(), '{\n  "errorType": "Custom",\n  "errorMessage": "outer",\n  ' + frame +
                         ',\n  "cause":   {\n    "errorType": "Custom",\n    "errorMessage": "middle",\n    "cause":     {\n'
                         '      "errorType": "ArgumentNullException",\n      "errorMessage": "Value cannot be null. (Parameter \'name\')"\n    }\n  }\n}\n')
        many = self.body("many").body.decode()
        self.assertTrue(many.endswith('"causes": [    {\n      "errorType": "Custom",\n      "errorMessage": "one"\n    },\n    {\n'
                                      '      "errorType": "Custom",\n      "errorMessage": "two"\n    }\n  ]\n}\n'), many)
        self.assertEqual(json.loads(many)["cause"]["errorMessage"], "one")

    def test_too_long(self):
        self.assertEqual(self.body("long").body, b'{"errorMessage": "Exception exceeded maximum payload size of 256KB."}')

    def test_of_tasks(self):
        for method in ("Later", "Blocks"):
            document = json.loads(self.body("plain", method).body)
            self.assertEqual(document["errorType"], "Custom")
            self.assertFalse([line for line in document["stackTrace"] if "Lambkin" in line])

    def test_input_that_is_none(self):
        c = self.dotnet("Tests.Shapes.Number")
        document = c.fail(b'"x"')
        self.assertEqual((document["errorType"], document["cause"]["errorType"]), ("JsonSerializerException", "JsonException"))
        self.assertEqual(c.call(b"1"), 2)

    def test_exit(self):
        c = self.dotnet("Tests.Errors.Throw")
        c.poll()
        c.give(b'"exit"')
        self.assertEqual(c.wait(), 7)


class Context(DotnetCase):
    def test_everything(self):
        c = self.dotnet("Tests.Look.Context")
        client = {"client": {"installation_id": "i", "app_title": "t"}, "custom": {"k": "ä", "n": 1}, "env": {"e": "v"}}
        self.assertEqual(c.call(b'"x"', Lambda_Runtime_Client_Context=json.dumps(client), Lambda_Runtime_Aws_Tenant_Id="tenant",
                                Lambda_Runtime_Cognito_Identity='{"cognitoIdentityId":"id","cognitoIdentityPoolId":"pool"}'), {
            "id": c.id, "name": "fn", "version": "$LATEST", "arn": ARN, "group": "/aws/lambda/fn", "stream": "2026/01/01/[$LATEST]" + "0" * 32,
            "memory": 256, "remaining": True, "tenant": "tenant", "trace": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0", "identity": "id",
            "pool": "pool", "custom": {"k": "ä", "n": "1"}, "env": {"e": "v"}, "app": "i", "title": "t", "serializer": "DefaultLambdaJsonSerializer",
            "later": None, "number": 0, "default": "default of the interface", "variable": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0"})
        empty = c.call(b'"x"')
        self.assertEqual([empty[key] for key in ("tenant", "identity", "custom", "app")], [None] * 4)

    def test_process(self):
        c = self.dotnet("Tests.Look.Process", env={"MINE": "ä"})
        look = c.call(["MINE", "LAMBDA_RUNTIME_NAME", "DOTNET_ROOT", "AWS_EXECUTION_ENV"])
        self.assertEqual(look["env"], {"MINE": "ä", "LAMBDA_RUNTIME_NAME": "dotnet8", "DOTNET_ROOT": "/usr/share/dotnet",
                                       "AWS_EXECUTION_ENV": "AWS_Lambda_dotnet8"})
        self.assertEqual((look["limit"], look["switch"]), (256, True))
        c = self.dotnet("Tests.Look.Process", env={"AWS_LAMBDA_DOTNET_DISABLE_MEMORY_LIMIT_CHECK": "1", "AWS_LAMBDA_DOTNET_PREJIT": "Always"})
        self.assertGreater(c.call([])["limit"], 256)


class Logs(DotnetCase):
    def lines(self, wanted=11, **env):
        c = self.dotnet("Tests.Look.Logs", env=env, framed=True)
        c.call(b'"x"')
        return c, c.frames(wanted)

    def test_text(self):
        c, frames = self.lines(12)
        start = rf"^{TIME}\t{c.id}\t"
        for frame, (kind, text) in zip(frames, (
                ("a55a000f", start + "info\tout 1\n$"), ("a55a0017", start + "fail\terr\n$"), ("a55a000f", "^raw$"),
                ("a55a000f", start + "info\ttwo\nlines\n$"), ("a55a0013", start + "warn\twarning\n$"), ("a55a001b", start + "crit\tcritical\n$"),
                ("a55a000f", start + r'info\tAda has 007 and \{"Name":"x","Number":1\}\n$'), ("a55a000f", start + r"info\tb a \{\}\n$"),
                ("a55a0017", start + "fail\twith an error\nTests.Custom: inside\n$"), ("a55a0003", start + "static\n$"),
                ("a55a0013", start + "warn\tstatic 5\n$"), ("a55a0003", start + "mine\town level\n$")), strict=True):
            self.assertEqual(frame.kind, kind, frame.text)
            self.assertRegex(frame.text, text)

    def test_json(self):
        c, frames = self.lines(12, AWS_LAMBDA_LOG_FORMAT="JSON", AWS_LAMBDA_LOG_LEVEL="DEBUG")
        lines = [json.loads(frame.text) for frame in frames if frame.text != "raw"]
        self.assertRegex(lines[0].pop("timestamp"), f"^{TIME}$")
        self.assertEqual(lines[0], {"level": "Information", "requestId": c.id, "traceId": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
                                    "message": "out 1"})
        self.assertEqual([line["level"] for line in lines[1:5]], ["Error", "Information", "Warning", "Critical"])
        with_properties = lines[5]
        self.assertEqual([with_properties[key] for key in ("user", "count", "order")], ["Ada", "007", {"Name": "x", "Number": 1}])
        self.assertEqual([lines[7][key] for key in ("message", "errorType", "errorMessage", "stackTrace")],
                         ["with an error", "Tests.Custom", "inside", ["Tests.Custom: inside"]])
        self.assertEqual({frame.kind for frame in frames}, {"a55a000e", "a55a0016", "a55a0012", "a55a001a"})

    def test_level_and_unformatted(self):
        c, frames = self.lines(6, AWS_LAMBDA_HANDLER_LOG_LEVEL="Error", AWS_LAMBDA_HANDLER_LOG_FORMAT="Unformatted", AWS_LAMBDA_LOG_LEVEL="TRACE")
        self.assertEqual([frame.text for frame in frames], ["err\n", "raw", "critical\n", "with an error\nTests.Custom: inside\n", "static\n", "own level\n"])

    def test_unhandled(self):
        c = self.dotnet("Tests.Errors.Throw", framed=True)
        c.fail(b'"inner"')
        frame = c.frames()[0]
        self.assertEqual(frame.kind, "a55a0017")
        self.assertRegex(frame.text, rf"^{TIME}\t{c.id}\tfail\tTests\.Custom: outer\n ---> Tests\.Custom: middle\n")


class Launch(DotnetCase):
    def ends(self, code, handler="Tests.Shapes.Text", without=(), more=None, **options):
        kept = {name: data for name, data in {**files, **(more or {})}.items() if not name.endswith(tuple(without) or "\0")}
        handler = handler and (handler if "::" in handler or not handler.startswith("Tests.") else "Tests::Tests.Shapes::Text")
        c = Client("dotnet", kept, handler, **options)
        self.addCleanup(c.close)
        self.assertEqual(c.wait(), code)
        return c.stderr()

    def test_exit_codes(self):
        self.assertIn("LAMBDA_TASK_ROOT needs to be defined", self.ends(101, env={"LAMBDA_TASK_ROOT": ""}))
        self.assertIn("directory is missing", self.ends(102, without=("",)))
        self.assertIn("No Lambda Handler function was specified.", self.ends(103, handler=""))
        self.assertRegex(self.ends(104, handler="Nothere"), r"executable assembly .*/Nothere\.dll or binary .*/Nothere not found\.")
        self.assertIn("missing the required .deps.json file", self.ends(105, without=(".deps.json",)))
        self.assertIn("missing the required .runtimeconfig.json file", self.ends(106, without=(".runtimeconfig.json",)))
        two = {"a.deps.json": b"{}", "b.deps.json": b"{}"}
        self.assertIn(".deps.json", self.ends(105, without=("Tests.deps.json",), more=two))

    def test_the_only_file_of_its_kind_serves(self):
        renamed = {name.replace("Tests.deps", "other.deps"): data for name, data in files.items()}
        c = Client("dotnet", renamed, "Tests::Tests.Shapes::Text")
        self.addCleanup(c.close)
        self.assertEqual(c.call(b'"x"'), "x")

    def test_packages_that_want_a_start_of_their_own(self):
        """Other frameworks, settings that .NET reads when it starts, newer parts of the framework."""
        invariant = b'{"runtimeOptions":{"framework":{"name":"Microsoft.NETCore.App","version":"8.0.0"},"configProperties":{"System.Globalization.Invariant":true}}}'
        look = self.dotnet("Tests.Look.Process", {"Tests.runtimeconfig.json": invariant}).call(["MINE"])
        self.assertEqual(look["env"], {"MINE": None})
        config = b'{"runtimeOptions":{"framework":{"name":"Microsoft.NETCore.App","version":"99.0.0"}}}'
        self.assertIn("99.0.0", self.ends(150, more={"Tests.runtimeconfig.json": config.replace(b"Microsoft.NETCore.App", b"Microsoft.Nothere.App")}))

    def test_executables_make_their_own_loop(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([BUILD, folder, "Own", "-target:exe", HERE / "Own.cs"], check=True)
            own = {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}
        for handler in ("Own", "Own.dll"):
            c = Client("dotnet", own, handler)
            self.addCleanup(c.close)
            self.assertEqual(c.wait(), 42)
            self.assertEqual(c.stdout(), f"own loop {handler} dotnet8\n")


if __name__ == "__main__":
    unittest.main()
