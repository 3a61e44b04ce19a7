"""The Python runtime client, byte by byte."""
import json
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

from platform_mock import ARN, INTERPRETERS, OK, Client

EXEC = """import os, sys
def handler(event, context):
    scope = {"event": event, "context": context, "result": None}
    exec(event, scope)
    return scope["result"]
"""
ECHO = "def handler(event, context):\n    return event\n"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
SECONDS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
VERSION = subprocess.run([INTERPRETERS["python"], "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True,
                         check=True).stdout.decode().strip()


class PythonCase(unittest.TestCase):
    maxDiff = None

    def python(self, source=EXEC, handler="app.handler", **more):
        files = source if isinstance(source, dict) else {"app.py": source}
        client = Client("python", files, handler, **more)
        self.addCleanup(client.close)
        return client


class Protocol(PythonCase):
    def test_result_and_next_poll_leave_in_one_write(self):
        c = self.python()
        c.poll()
        for text, kind in zip(("result = 1", "result = 'x' * 10000", "raise ValueError()"), ("response", "response", "error")):
            before = c.segments()
            c.give(json.dumps(text).encode())
            what, request = c.result()
            self.assertEqual((what, request.reads), (kind, 1))
            self.assertTrue(c.data.startswith(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"), c.data[:100])
            self.assertTrue(c.data.endswith(b"\r\n\r\n"))
            c.answer(202)
            c.poll()
            self.assertEqual(c.segments() - before, 1)

    def test_request_headers(self):
        c = self.python(ECHO)
        what, request = c.invoke({"a": "x"})
        self.assertEqual(request.body, b'{"a": "x"}')
        self.assertEqual(request.headers["content-type"], "application/json")
        self.assertNotIn("expect", request.headers)

    def test_six_megabytes_each_way(self):
        c = self.python(ECHO, runtime="python3.13")
        event = json.dumps("é" * 3145000, ensure_ascii=False).encode()
        self.assertTrue(c.invoke(event)[1].body == event)
        self.assertEqual(c.call({"small": 1}), {"small": 1})

    def test_event_in_small_pieces(self):
        c = self.python("def handler(event, context):\n    return [event, context.aws_request_id]\n")
        c.poll()
        c.id = "ab"
        for piece in (b"HT", b"TP/1.1 200 OK\r\nlambda-runtime-aws-request-id:ab\r", b"\nContent-LENGTH:  ", b"5 \r\n\r", b"\n", b"[1,", b"2", b"]"):
            c.connection.sendall(piece)
            time.sleep(0.002)  # so that most arrive apart; the test holds either way
        self.assertEqual(c.result()[1].body, b'[[1, 2], "ab"]')

    def test_answer_and_event_in_one_piece(self):
        c = self.python(ECHO)
        c.poll()
        c.give(b"1")
        c.result()
        c.poll()
        first = b"HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n" + OK
        second = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: b\r\nContent-Length: 1\r\n\r\n2"
        c.connection.sendall(first + second)
        c.id = "b"
        self.assertEqual(c.result()[1].body, b"2")

    def test_interim_answers_are_skipped(self):
        c = self.python(ECHO)
        c.poll()
        c.connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
        c.give(b"5")
        self.assertEqual(c.result()[1].body, b"5")

    def test_other_than_200_to_next_ends_the_process(self):
        c = self.python()
        c.poll()
        c.answer(403, b"{}")
        self.assertEqual(c.wait(), 1)
        self.assertIn("403", c.stderr())

    def test_other_than_2xx_to_a_response_ends_the_process(self):
        for status in (400, 403, 413, 500):
            c = self.python(ECHO)
            c.poll()
            c.give(b"1")
            c.result()
            c.answer(status, b"{}")
            c.poll()
            c.give(b"2")
            self.assertEqual(c.wait(), 1)
            self.assertIn(str(status), c.stderr())

    def test_unknown_kinds_of_answers_end_the_process(self):
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n1", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                       b"SMTP ready\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"):
            c = self.python()
            c.poll()
            c.connection.sendall(answer)
            self.assertEqual(c.wait(), 1, answer)

    def test_closed_while_polling_before_any_answer(self):
        c = self.python()
        c.poll()
        c.drop()
        self.assertEqual(c.wait(), 1)
        self.assertIn("no connection to the Runtime API", c.stderr())

    def test_closed_while_polling_polls_again(self):
        c = self.python(ECHO)
        self.assertEqual(c.call(1), 1)
        c.drop()
        c.poll()
        c.give(b"2")
        self.assertEqual(c.result()[1].body, b"2")

    def test_closed_after_the_response_before_its_answer_sends_it_again(self):
        c = self.python(ECHO)
        self.assertEqual(c.call(1), 1)
        c.give(b"2")
        c.result()
        c.poll()
        c.drop()
        self.assertEqual(c.result()[1].body, b"2")
        c.answer(400, b"{}")
        c.poll()
        self.assertEqual(c.give(b"3") and c.result()[1].body, b"3")

    def test_closed_during_an_invocation_answers_on_a_new_connection(self):
        c = self.python("import time\ndef handler(event, context):\n    time.sleep(0.1)\n    return event\n")
        c.poll()
        c.give(b"7")
        c.drop()
        self.assertEqual(c.result()[1].body, b"7")

    def test_nobody_listens(self):
        c = self.python(env={"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"})
        self.assertEqual(c.wait(), 1)
        self.assertIn("Connection refused", c.stderr())

    def test_many_invocations_on_one_connection(self):
        c = self.python("n = 0\ndef handler(event, context):\n    global n\n    n += 1\n    return n\n")
        self.assertEqual([c.call() for _ in range(200)], list(range(1, 201)))

    def test_little_is_imported(self):
        c = self.python("import sys\nbefore = set(sys.modules)\ndef handler(event, context):\n    return sorted(before)\n")
        loaded = c.call()
        for name in ("json", "re", "logging", "traceback", "http", "urllib", "socket", "decimal", "site", "threading"):
            self.assertNotIn(name, loaded)


class Events(PythonCase):
    def test_values(self):
        c = self.python(ECHO)
        for text in (b"null", b"5", b"-1.5e-07", b'"x"', b"[]", b'{"a": [1, null, true]}', b' \r\n\t[1]\n '):
            self.assertEqual(c.invoke(text)[1].body, text.strip())

    def test_not_json(self):
        c = self.python(ECHO)
        for text in (b"{", b"", b"[1,]", b"1 2", b"{'a': 1}", b"\xff"):
            document = c.fail(text)
            self.assertEqual(document["errorType"], "Runtime.UnmarshalError")
            self.assertRegex(document["errorMessage"], "^Unable to unmarshal input: .")
            self.assertEqual(document["stackTrace"], [])
        self.assertEqual(c.fail(b"{")["errorMessage"],
                         "Unable to unmarshal input: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)")

    def test_deep(self):
        c = self.python(ECHO)
        self.assertEqual(c.fail(b"[" * 200000)["errorType"], "Runtime.UnmarshalError")
        self.assertEqual(c.call(1), 1)

    def test_other_content_types_are_bytes(self):
        c = self.python("def handler(event, context):\n    return [type(event).__name__, len(event)]\n")
        self.assertEqual(c.call(b"\x00\xff", Content_Type="application/octet-stream"), ["bytes", 2])
        self.assertEqual(c.call(b"x" * 300000, Content_Type="text/plain"), ["bytes", 300000])
        self.assertEqual(c.call(b'"x"', Content_Type="application/json; charset=utf-8"), ["str", 1])
        self.assertEqual(c.call(b'"x"', Content_Type=None), ["str", 1])


class Results(PythonCase):
    def body(self, code, **more):
        what, request = self.python(**more).invoke(json.dumps(code).encode())
        self.assertEqual(what, "response", request.body)
        return request.body.decode()

    def test_values(self):
        c = self.python()
        for code, body in [("pass", "null"), ("result = 'a\"b'", '"a\\"b"'), ("result = (1, 2.5)", "[1, 2.5]"), ("result = {1: True}", '{"1": true}'),
                           ("result = float('nan')", "NaN"), ("result = 1e100", "1e+100"), ("result = {'a': None}", '{"a": null}')]:
            self.assertEqual(c.invoke(json.dumps(code).encode())[1].body.decode(), body, code)

    def test_bytes(self):
        what, request = self.python().invoke(b'"result = bytes(range(256))"')
        self.assertEqual((what, request.body), ("response", bytes(range(256))))
        self.assertEqual(request.headers["content-type"], "application/unknown")

    def test_non_ascii_is_escaped_before_3_12(self):
        self.assertEqual(self.body("result = '\u00e9\U0001f600'", runtime="python3.11"), '"\\u00e9\\ud83d\\ude00"')
        self.assertEqual(self.body("result = '\u00e9\U0001f600'", runtime="python3.12"), '"\u00e9\U0001f600"')
        self.assertEqual(self.body("result = '\\ud800'", runtime="python3.12"), '"\\ud800"')

    def test_decimals(self):
        code = "from decimal import Decimal as D\nresult = {'é': [D('1.10'), D('0.12345678901234567890'), D('1E+3'), D('NaN'), D(7), 'x']}"
        self.assertEqual(self.body(code, runtime="python3.12"), '{"é": [1.10, 0.12345678901234567890, 1E+3, NaN, 7, "x"]}')
        self.assertEqual(self.body(code), '{"\\u00e9": [1.10, 0.12345678901234567890, 1E+3, NaN, 7, "x"]}')

    def test_as_simplejson(self):
        c = self.python()
        names = "from collections import namedtuple, OrderedDict\nfrom decimal import Decimal\nfrom http import HTTPStatus\nP = namedtuple('P', 'x y')\n"
        for code, body in [("result = P(1, [P(2, 3)])", '{"x": 1, "y": [{"x": 2, "y": 3}]}'),
                           ("result = {'statusCode': HTTPStatus.OK, 'body': b'abc\\xc3\\xa9'}", '{"statusCode": 200, "body": "abc\\u00e9"}'),
                           ("result = {'body': b'abc'}", '{"body": "abc"}'),
                           ("result = OrderedDict([(b'k', (1, P(0, None))), ('d', Decimal('1.10'))])",
                            '{"k": [1, {"x": 0, "y": null}], "d": 1.10}'),
                           ("result = {b'k': 1, 2: (3, 4)}", '{"k": 1, "2": [3, 4]}'),
                           ("class N:\n    def _asdict(self): return {'n': 1.5}\nresult = [N()]", '[{"n": 1.5}]')]:
            self.assertEqual(c.invoke(json.dumps(names + code).encode())[1].body.decode(), body, code)

    def test_not_serialisable(self):
        c = self.python()
        for code, message in [("import datetime\nresult = datetime.datetime.now()", "Object of type datetime is not JSON serializable"),
                              ("result = {'a': {1, 2}}", "Object of type set is not JSON serializable"),
                              ("result = {'a': b'x\\xff'}", "'utf-8' codec can't decode byte 0xff in position 1: invalid start byte"),
                              ("result = {'a': bytearray(b'x')}", "Object of type bytearray is not JSON serializable"),
                              ("class N:\n    _asdict = list\nresult = N()", "_asdict() must return a dict, not list"),
                              ("class N:\n    def _asdict(self): return {'n': self}\nresult = [N()]", "Circular reference detected"),
                              ("result = []\nresult.append(result)", "Circular reference detected"),
                              ("result = {(1, 2): 3}", "keys must be str, int, float, bool or None, not tuple"),
                              ("import decimal\nresult = [decimal.Decimal(1), {1}]", "Object of type set is not JSON serializable")]:
            document = c.fail(json.dumps(code).encode())
            self.assertEqual((document["errorType"], document["errorMessage"]), ("Runtime.MarshalError", "Unable to marshal response: " + message))
            self.assertEqual(document["stackTrace"], [])

    def test_coroutine_is_not_awaited(self):
        c = self.python("async def handler(event, context):\n    return 1\n")
        self.assertEqual(c.fail()["errorMessage"], "Unable to marshal response: Object of type coroutine is not JSON serializable")

    def test_callable_objects(self):
        self.assertEqual(self.python("class H:\n    def __call__(self, e, c): return 'called'\nhandler = H()\n").call(), "called")


class Errors(PythonCase):
    def test_document_and_log(self):
        c = self.python("def inner():\n    raise ValueError('bäd')\n\ndef handler(event, context):\n    inner()\n")
        what, request = c.invoke()
        self.assertEqual(what, "error")
        path = str(c.task / "app.py")
        frames = [f'  File "{path}", line 5, in handler\n    inner()\n', f'  File "{path}", line 2, in inner\n    raise ValueError(\'bäd\')\n']
        self.assertEqual(json.loads(request.body), {"errorMessage": "bäd", "errorType": "ValueError", "requestId": c.id, "stackTrace": frames})
        self.assertEqual(list(json.loads(request.body)), ["errorMessage", "errorType", "requestId", "stackTrace"])
        self.assertIn(b"b\\u00e4d", request.body)
        self.assertNotIn("lambda-runtime-function-error-type", request.headers)
        nbsp = "\u00a0"
        self.assertEqual(c.stdout(), "[ERROR] ValueError: bäd\rTraceback (most recent call last):\r"
                         f"{nbsp * 2}File \"{path}\", line 5, in handler\r{nbsp * 4}inner()\r"
                         f"{nbsp * 2}File \"{path}\", line 2, in inner\r{nbsp * 4}raise ValueError('bäd')\n")

    def test_python38_has_no_request_id(self):
        document = self.python(runtime="python3.8").fail(b'"1 / 0"')
        self.assertEqual(list(document), ["errorMessage", "errorType", "stackTrace"])

    def test_no_message(self):
        c = self.python("def handler(event, context):\n    raise ValueError()\n")
        self.assertEqual(c.fail()["errorMessage"], "")
        self.assertTrue(c.stdout().startswith("[ERROR] ValueError\rTraceback"))

    def test_own_class_and_unprintable(self):
        c = self.python("class Mine(Exception):\n    def __str__(self): raise KeyError()\ndef handler(event, context):\n    raise Mine()\n")
        document = c.fail()
        self.assertEqual((document["errorType"], document["errorMessage"]), ("Mine", "<unprintable Mine object>"))

    def test_a_fault_of_the_function_is_none_of_ours(self):
        c = self.python("class Fault(Exception):\n    kind = 'Runtime.X'\ndef handler(event, context):\n    raise Fault('f')\n")
        self.assertEqual(c.fail()["errorType"], "Fault")

    def test_half_a_surrogate_pair_in_a_message(self):
        c = self.python(runtime="python3.12")
        self.assertEqual(c.fail(json.dumps("raise ValueError('\\ud800')").encode())["errorType"], "ValueError")
        self.assertEqual(c.call(b'"result = 1"'), 1)

    def test_recursion(self):
        c = self.python("def handler(event, context):\n    return handler(event, context)\n")
        self.assertEqual(c.fail()["errorType"], "RecursionError")

    def test_exits(self):
        for code, status in [("sys.exit(3)", 3), ("sys.exit()", 0), ("os._exit(4)", 4), ("exit(5)", 5), ("sys.exit('text')", 1)]:
            c = self.python("import os, sys\ndef handler(event, context):\n    %s\n" % code)
            c.poll()
            c.give()
            self.assertEqual(c.wait(), status)
        self.assertEqual(c.stderr(), "text\n")

    def test_killed(self):
        c = self.python("import os, signal\ndef handler(event, context):\n    print('partial', end='')\n    os.kill(os.getpid(), 9)\n")
        c.poll()
        c.give()
        self.assertEqual((c.wait(), c.stdout()), (-9, "partial"))


class Loading(PythonCase):
    def breaks(self, source, kind, message, handler="app.handler", **more):
        c = self.python(source, handler, **more)
        header, document, code = c.init_error()
        self.assertEqual((header, document["errorType"], code), (kind, kind, 1))
        if isinstance(message, str):
            self.assertEqual(document["errorMessage"], message)
        else:
            self.assertRegex(document["errorMessage"], message)
        self.assertEqual(list(document), ["errorMessage", "errorType", "requestId", "stackTrace"])
        self.assertEqual(document["requestId"], "")
        out = c.stdout()
        self.assertRegex(out, rf"^\[WARNING\]\t{TIME}\t\tLAMBDA_WARNING: Unhandled exception[^\n]*\n\[ERROR\] {re.escape(kind)}[^\n]*\n$")
        return c, document

    def test_malformed_name(self):
        self.breaks("", "Runtime.MalformedHandlerName", "Bad handler 'app': not enough values to unpack (expected 2, got 1)", "app")
        self.breaks("", "Runtime.MalformedHandlerName", "Bad handler '': not enough values to unpack (expected 2, got 1)", "")

    def test_built_in_modules(self):
        self.breaks("", "Runtime.BuiltInModuleConflict", "Cannot use built-in module sys as a handler module", "sys.exit")
        self.breaks("", "Runtime.BuiltInModuleConflict", "Cannot use built-in module time.x as a handler module", "time.x.y")

    def test_missing_modules(self):
        self.breaks("import nosuch\n", "Runtime.ImportModuleError", "Unable to import module 'app': No module named 'nosuch'")
        self.breaks("", "Runtime.ImportModuleError", "Unable to import module 'other': No module named 'other'", "other.handler")
        self.breaks("", "Runtime.ImportModuleError", "Unable to import module 'a/b': No module named 'a'", "a/b.handler")
        c, document = self.breaks("from os import nosuch\n", "Runtime.ImportModuleError", re.compile("^Unable to import module 'app': cannot import name"))
        self.assertEqual(document["stackTrace"], [])

    def test_syntax_error(self):
        c, document = self.breaks("x = 1\ndef handler(:\n", "Runtime.UserCodeSyntaxError", re.compile(r"^Syntax error in module 'app': invalid syntax \(app.py, line 2\)"))
        self.assertEqual(document["stackTrace"], [f'  File "{c.task}/app.py" Line 2\n    def handler(:\n'])

    def test_handler_not_found(self):
        self.breaks("x = 1\n", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'")

    def test_error_while_loading(self):
        c, document = self.breaks("def f():\n    raise KeyError('k')\nf()\n", "KeyError", "'k'")
        self.assertEqual(document["stackTrace"], [f'  File "{c.task}/app.py", line 3, in <module>\n    f()\n',
                                                  f'  File "{c.task}/app.py", line 2, in f\n    raise KeyError(\'k\')\n'])

    def test_header_of_an_odd_type(self):
        c = self.python("raise type('Ä', (Exception,), {})('x')\n")
        self.assertEqual(c.init_error()[0], "?")

    def test_exit_while_loading(self):
        c = self.python("import sys\nsys.exit(9)\n")
        self.assertEqual(c.wait(), 9)

    def test_paths(self):
        files = {"a/b/c.py": "def h(e, c):\n    return __name__\n", "pack/__init__.py": "from .m import x\n", "pack/m.py": "def x(e, c): return 'x'\n"}
        self.assertEqual(self.python(files, "a/b/c.h").call(), "a.b.c")
        self.assertEqual(self.python(files, "a.b.c.h").call(), "a.b.c")
        self.assertEqual(self.python(files, "pack.x").call(), "x")

    def test_search_path(self):
        c = self.python("import sys\ndef handler(event, context):\n    return sys.path\n",
                        env={"PYTHONPATH": "/mine/first:/mine/second", "AWS_EXECUTION_ENV": f"AWS_Lambda_python{VERSION}"})
        path = c.call()
        own = str(pathlib.Path(__file__).resolve().parent.parent.parent / "runtimes/python")
        self.assertEqual(path[:6], [str(c.task), f"/opt/python/lib/python{VERSION}/site-packages", "/opt/python", own, "/mine/first", "/mine/second"])
        self.assertFalse([p for p in path[1:] if "dist-packages" in p or ("site-packages" in p and not p.startswith("/opt/python"))])

    def test_function_modules_win_over_the_standard_library(self):
        self.assertEqual(self.python({"app.py": "import colorsys\ndef handler(e, c):\n    return colorsys.mine\n", "colorsys.py": "mine = 1\n"}).call(), 1)

    def test_modules_of_lambdas_client_are_the_interpreters(self):
        files = {f"{name}.py": "raise SystemExit(9)" for name in ("json", "logging", "traceback", "re", "decimal")}
        c = self.python({**files, "app.py": "import json, logging, decimal\ndef handler(e, c):\n    logging.warning('seen')\n"
                                            "    if e: raise ValueError(json.dumps(e))\n    return decimal.Decimal(1)\n"})
        self.assertEqual(c.call(0), 1)
        self.assertEqual(c.fail([1])["errorMessage"], "[1]")
        self.breaks({"json.py": "def handler(e, c):\n    return 1\n"}, "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'json'",
                    "json.handler")

    def test_layers_of_the_version_that_was_asked_for(self):
        c = self.python("import sys\ndef handler(event, context):\n    return sys.path\n", env={"AWS_EXECUTION_ENV": "AWS_Lambda_python3.99"})
        self.assertEqual(c.call()[1:4], ["/opt/python/lib/python3.99/site-packages", f"/opt/python/lib/python{VERSION}/site-packages", "/opt/python"])

    def test_names_of_site(self):
        self.assertEqual(self.python("def handler(e, c):\n    return [callable(exit), callable(quit)]\n").call(), [True, True])

    def test_wrapper(self):
        with tempfile.TemporaryDirectory() as d:
            wrapper = pathlib.Path(d) / "wrap"
            wrapper.write_text('#!/bin/sh\nexport WRAPPED="$1"\nexec "$@"\n')
            wrapper.chmod(0o755)
            c = self.python("import os\ndef handler(e, c):\n    return os.environ['WRAPPED']\n", wrap=[str(wrapper)])
            self.assertEqual(c.call(), INTERPRETERS["python"])


class Context(PythonCase):
    def test_everything(self):
        c = self.python("def handler(e, c):\n    return [c.aws_request_id, c.function_name, c.function_version, c.invoked_function_arn,"
                        " c.memory_limit_in_mb, c.log_group_name, c.log_stream_name, c.tenant_id, c.identity.cognito_identity_id,"
                        " c.identity.cognito_identity_pool_id, c.client_context.custom, c.client_context.env, c.client_context.client.app_title,"
                        " c.client_context.client.app_version_code, c.get_remaining_time_in_millis()]\n")
        answer = c.call(b"{}", Lambda_Runtime_Client_Context='{"custom":{"k":"ü"},"env":{"e":"1"},"client":{"app_title":"T"}}',
                        Lambda_Runtime_Cognito_Identity='{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}',
                        Lambda_Runtime_Deadline_Ms=str(int(time.time() * 1000) + 5000), Lambda_Runtime_Aws_Tenant_Id="blue")
        self.assertTrue(0 < answer.pop() <= 5000)
        self.assertEqual(answer, [c.id, "fn", "$LATEST", ARN, "256", "/aws/lambda/fn", "2026/01/01/[$LATEST]" + "0" * 32, "blue", "i", "p",
                                  {"k": "ü"}, {"e": "1"}, "T", None])

    def test_absent_parts(self):
        c = self.python("def handler(e, c):\n    return [c.identity.cognito_identity_id, c.client_context, c.tenant_id, repr(c.identity)]\n")
        self.assertEqual(c.call(), [None, None, None, "CognitoIdentity([cognito_identity_id=None,cognito_identity_pool_id=None])"])

    def test_time_is_never_negative(self):
        c = self.python("def handler(e, c):\n    return c.get_remaining_time_in_millis()\n")
        self.assertEqual(c.call(b"{}", Lambda_Runtime_Deadline_Ms="1000"), 0)

    def test_broken_headers(self):
        c = self.python(ECHO)
        for header, title in [("Lambda_Runtime_Client_Context", "Client Context"), ("Lambda_Runtime_Cognito_Identity", "Cognito Identity")]:
            document = c.fail(b"{}", **{header: "{"})
            self.assertEqual((document["errorType"], document["errorMessage"]), ("Runtime.LambdaContextUnmarshalError",
                             f"Unable to parse {title} JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"))
        self.assertEqual(c.call(1), 1)

    def test_repr(self):
        c = self.python("def handler(e, c):\n    return repr(c)\n")
        self.assertRegex(c.call(), rf"^LambdaContext\(\[aws_request_id={c.id},log_group_name=/aws/lambda/fn,.*tenant_id=None,.*\]\)$")

    def test_trace_id_of_each_invocation(self):
        c = self.python("import os\ndef handler(e, c):\n    return os.environ.get('_X_AMZN_TRACE_ID', 'none')\n")
        self.assertEqual(c.call(b"{}", Lambda_Runtime_Trace_Id="Root=1;Sampled=1"), "Root=1;Sampled=1")
        self.assertEqual(c.call(b"{}", Lambda_Runtime_Trace_Id=None), "none")

    def test_platform_variables_are_gone(self):
        c = self.python("import os\ndef handler(e, c):\n    return [k for k in os.environ if k.startswith('_LAMBDA')]\n", framed=True)
        self.assertEqual(c.call(), [])


LOGGING = """import logging
logger = logging.getLogger("mine")
%s
def handler(event, context):
    %s
"""


class Logs(PythonCase):
    def logs(self, body, before="", **more):
        c = self.python(LOGGING % (before, body), **more)
        c.call()
        return c

    def test_print_is_plain_and_at_once(self):
        c = self.python("print('loading')\ndef handler(e, c):\n    print('one', 'é', '\\ud800')\n    print('two', end='')\n", framed=True)
        c.call()
        self.assertEqual(c.stdout(), "loading\none é \\ud800\ntwo")

    def test_stderr(self):
        c = self.python("import sys\ndef handler(e, c):\n    sys.stderr.write('x')\n    sys.stderr.buffer.write(b'\\xff')\n    sys.stderr.flush()\n")
        c.call()
        self.assertEqual((c.dir / "stderr").read_bytes(), b"x\xff")

    def test_text_on_stdout(self):
        c = self.logs("logger.info('hidden'); logger.warning('shown %d', 1); logging.critical('c')")
        self.assertRegex(c.stdout(), rf"^\[WARNING\]\t{TIME}\t{c.id}\tshown 1\n\[CRITICAL\]\t{TIME}\t{c.id}\tc\n$")

    def test_request_id_is_empty_during_init(self):
        c = self.logs("pass", "logger.error('early')")
        self.assertRegex(c.stdout(), rf"^\[ERROR\]\t{TIME}\t\tearly\n$")

    def test_text_frames(self):
        before = time.time()
        c = self.logs("logging.root.setLevel(1)\n    for level in (5, 10, 20, 25, 30, 40, 50, 60): logger.log(level, 'a\\nb é')", framed=True)
        frames = c.frames(8)
        self.assertEqual([f.kind[-2:] for f in frames], ["03", "0b", "0f", "0f", "13", "17", "1b", "1b"])
        self.assertRegex(frames[1].text, rf"^\[DEBUG\]\t{TIME}\t{c.id}\ta\nb é\n$")
        self.assertTrue(abs(frames[0].time / 1e6 - before) < 20)
        self.assertEqual(c.stdout(), "")

    def test_exceptions_in_text(self):
        c = self.logs("try: 1 / 0\n    except ZeroDivisionError: logger.exception('failed')", framed=True)
        self.assertRegex(c.frames(1)[0].text, rf"(?s)^\[ERROR\]\t{TIME}\t{c.id}\tfailed\nTraceback \(most recent call last\):\n  File .*\nZeroDivisionError: division by zero\Z")

    def test_ends_of_frames(self):
        c = self.logs("logger.warning('x\\n'); logger.warning('y')\n"
                      "    logger.handlers, logger.propagate = [logging.root.handlers[0]], False\n"
                      "    logger.handlers[0].setFormatter(logging.Formatter('%(message)s')); logger.warning('z')", framed=True)
        self.assertEqual([f.text.rpartition("\t")[2] for f in c.frames(3)], ["x\n\n", "y\n", "z"])

    def test_level_of_the_environment(self):
        for level, shown in [("TRACE", "di"), ("DEBUG", "di"), ("INFO", "i"), ("WARN", ""), ("nonsense", "")]:
            c = self.logs("logger.debug('d'); logger.info('i')", env={"AWS_LAMBDA_LOG_LEVEL": level})
            self.assertEqual("".join(line[-1] for line in c.stdout().splitlines()), shown, level)

    def test_json(self):
        c = self.python(LOGGING % ("", "logger.warning('w %s', 1, extra={'more': {'a': 'é'}, 'none': None}); logger.error('e')"),
                        env={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}, framed=True)
        c.call(b"{}", Lambda_Runtime_Aws_Tenant_Id="blue")
        frames = c.frames(2)
        self.assertEqual([f.kind for f in frames], ["a55a0012", "a55a0016"])
        self.assertTrue(frames[0].text.endswith("}\n"))
        line = json.loads(frames[0].text)
        self.assertRegex(line.pop("timestamp"), f"^{SECONDS}$")
        self.assertEqual(line, {"level": "WARNING", "message": "w 1", "logger": "mine", "requestId": c.id, "tenantId": "blue", "more": {"a": "é"}})

    def test_json_exception(self):
        c = self.logs("try: 1 / 0\n    except ZeroDivisionError: logger.exception('failed')", env={"AWS_LAMBDA_LOG_FORMAT": "JSON"})
        line = json.loads(c.stdout())
        self.assertEqual(list(line), ["timestamp", "level", "message", "logger", "stackTrace", "errorType", "errorMessage", "requestId", "location"])
        self.assertEqual((line["errorType"], line["errorMessage"]), ("ZeroDivisionError", "division by zero"))
        self.assertEqual(line["location"], f"{c.task}/app.py:handler:6")
        self.assertTrue(line["stackTrace"][0].startswith(f'  File "{c.task}/app.py", line 5, in handler\n    try: 1 / 0\n'))

    def test_json_with_what_is_no_json(self):
        c = self.logs("logger.error('e', extra={'o': object})", env={"AWS_LAMBDA_LOG_FORMAT": "JSON"})
        self.assertEqual(json.loads(c.stdout())["o"], "<class 'object'>")

    def test_error_log_framed(self):
        c = self.python(framed=True)
        c.fail(b'"1 / 0"')
        frame = c.frames(1)[0]
        self.assertEqual(frame.kind, "a55a0017")
        self.assertRegex(frame.text, "(?s)^\\[ERROR\\] ZeroDivisionError: division by zero\nTraceback \\(most recent call last\\):\n\u00a0\u00a0File .*[^\n]\\Z")

    def test_error_log_in_json(self):
        c = self.python(env={"AWS_LAMBDA_LOG_FORMAT": "JSON"}, framed=True)
        document = c.fail(b'"1 / 0"')
        frame = c.frames(1)[0]
        self.assertTrue(frame.text.endswith("}"))
        line = json.loads(frame.text)
        self.assertEqual((frame.kind, list(line)[:2]), ("a55a0016", ["timestamp", "log_level"]))
        self.assertRegex(line.pop("timestamp"), f"^{SECONDS}$")
        self.assertEqual(line.pop("log_level"), "ERROR")
        self.assertEqual(line, document)

    def test_context_log(self):
        c = self.python("def handler(e, c):\n    c.log('a')\n    c.log(5)\n")
        c.call()
        self.assertEqual(c.stdout(), "a5")
        c = self.python("def handler(e, c):\n    c.log('a\\nb')\n", framed=True)
        c.call()
        self.assertEqual([(f.kind, f.text) for f in c.frames(1)], [("a55a0003", "a\nb")])

    def test_formatters_of_the_function(self):
        c = self.logs("logging.getLogger().handlers[0].setFormatter(logging.Formatter('%(aws_request_id)s|%(message)s')); logger.error('m')")
        self.assertEqual(c.stdout(), f"{c.id}|m\n")

    def test_one_root_handler_whoever_imports_it(self):
        for way in ("import logging", "import logging.handlers", "import asyncio", "from logging import getLogger"):
            c = self.python(way + "\nimport logging\nlogging.basicConfig(level=0)\ndef handler(e, c):\n    return [len(logging.root.handlers),"
                            " logging.__spec__.loader.__class__.__name__, logging.__loader__.__class__.__name__]\n")
            self.assertEqual(c.call(), [1, "SourceFileLoader", "SourceFileLoader"], way)

    def test_warnings_of_the_interpreter(self):
        c = self.python("import warnings\ndef handler(e, c):\n    warnings.warn('careful')\n")
        c.call()
        self.assertIn("UserWarning: careful", c.stderr())

    def test_wrong_descriptor_falls_back_to_stdout(self):
        for number in ("99", "x", ""):
            c = self.logs("logger.error('here')", env={"_LAMBDA_TELEMETRY_LOG_FD": number})
            self.assertIn("\there\n", c.stdout())


if __name__ == "__main__":
    unittest.main()
