"""The Node.js runtime client, byte by byte."""
import base64
import json
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

from platform_mock import ARN, INTERPRETERS, OK, Client

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
EVAL = "exports.handler = async (event, context) => eval(event);\n"
NEVER = ("The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise that was never "
         "settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes")
QUIET = {"AWS_LAMBDA_NODEJS_DISABLE_CALLBACK_WARNING": "1"}
VERSION = int(subprocess.run([INTERPRETERS["node"], "-p", "process.versions.node.split('.')[0]"], capture_output=True,
                             check=True).stdout)


class NodeCase(unittest.TestCase):
    maxDiff = None

    def node(self, source=EVAL, handler="index.handler", **more):
        files = source if isinstance(source, dict) else {"index.js": source}
        client = Client("node", files, handler, **more)
        self.addCleanup(client.close)
        return client


class Protocol(NodeCase):
    def test_result_and_next_poll_leave_in_one_write(self):
        c = self.node()
        c.poll()
        for text, kind in zip(("1", "'x'.repeat(10000)", "throw new Error('x')"), ("response", "response", "error")):
            before = c.segments()
            c.give(text)
            what, request = c.result()
            self.assertEqual((what, request.reads), (kind, 1))
            self.assertTrue(c.data.startswith(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"), c.data[:100])
            self.assertTrue(c.data.endswith(b"\r\n\r\n"))
            c.answer(202)
            c.poll()
            self.assertEqual(c.segments() - before, 1)

    def test_request_headers(self):
        c = self.node()
        what, request = c.invoke("({a: 'ä'})")
        self.assertEqual(request.body, '{"a":"ä"}'.encode())
        self.assertEqual(request.headers["content-type"], "application/json")
        self.assertEqual(request.headers["content-length"], "10")
        self.assertNotIn("expect", request.headers)

    def test_six_megabytes_each_way(self):
        c = self.node("exports.handler = async (event) => event;")
        event = json.dumps("é" * 3145000, ensure_ascii=False).encode()
        what, request = c.invoke(event)
        self.assertEqual(what, "response")
        self.assertTrue(request.body == event)
        self.assertEqual(c.call({"small": 1}), {"small": 1})

    def test_event_in_small_pieces(self):
        c = self.node("exports.handler = async (event, context) => [event, context.awsRequestId];")
        c.poll()
        c.id = "ab"
        for piece in (b"HT", b"TP/1.1 200 OK\r\nlambda-runtime-aws-request-id:ab\r", b"\nContent-LENGTH:  ", b"5 \r\n\r", b"\n", b"[1,", b"2", b"]"):
            c.connection.sendall(piece)
            time.sleep(0.002)  # so that most arrive apart; the test holds either way
        self.assertEqual(c.result()[1].body, b'[[1,2],"ab"]')

    def test_answer_and_event_in_one_piece(self):
        c = self.node("exports.handler = async (event) => event;")
        c.poll()
        c.give(b"1")
        c.result()
        c.poll()
        self.assertFalse(c.data)
        first = b"HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n" + OK
        second = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: b\r\nContent-Length: 1\r\n\r\n2"
        c.connection.sendall(first + second)
        c.id = "b"
        self.assertEqual(c.result()[1].body, b"2")

    def test_interim_answers_are_skipped(self):
        c = self.node("exports.handler = async (event) => event;")
        c.poll()
        c.connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
        c.give(b"5")
        self.assertEqual(c.result()[1].body, b"5")

    def test_other_than_200_to_next_ends_the_process(self):
        c = self.node()
        c.poll()
        c.answer(403, b'{"errorMessage":"x","errorType":"InvalidStateTransition"}')
        self.assertEqual(c.wait(), 1)
        self.assertIn("403", c.stderr())

    def test_500_to_a_response_ends_the_process(self):
        c = self.node()
        c.poll()
        c.give("1")
        c.result()
        c.answer(500, b"{}")
        self.assertEqual(c.wait(), 1)

    def test_other_errors_to_a_response_are_ignored(self):
        c = self.node()
        c.poll()
        for status in (400, 403, 413):
            c.give("1")
            c.result()
            c.answer(status, b"{}")
            c.poll()
        self.assertEqual(c.give("2") and c.result()[1].body, b"2")

    def test_unknown_kinds_of_answers_end_the_process(self):
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n1", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                       b"SMTP ready\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"):
            c = self.node()
            c.poll()
            c.connection.sendall(answer)
            self.assertEqual(c.wait(), 1, answer)

    def test_closed_while_polling_before_any_answer(self):
        c = self.node()
        c.poll()
        c.drop()
        self.assertEqual(c.wait(), 1)
        self.assertIn("Runtime API", c.stderr())

    def test_closed_while_polling_polls_again(self):
        c = self.node()
        self.assertEqual(c.call("1"), 1)
        c.drop()
        c.poll()
        c.give("2")
        self.assertEqual(c.result()[1].body, b"2")

    def test_closed_after_the_response_before_its_answer_sends_it_again(self):
        c = self.node()
        self.assertEqual(c.call("1"), 1)
        c.give("2")
        c.result()
        c.poll()
        c.drop()
        self.assertEqual(c.result()[1].body, b"2")
        c.answer(400, b"{}")
        c.poll()
        self.assertEqual(c.give("3") and c.result()[1].body, b"3")

    def test_closed_during_an_invocation_answers_on_a_new_connection(self):
        c = self.node("exports.handler = async (event) => { await new Promise((done) => setTimeout(done, 100)); return event; };")
        c.poll()
        c.give(b"7")
        c.drop()
        self.assertEqual(c.result()[1].body, b"7")

    def test_nobody_listens(self):
        c = self.node(env={"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"})
        self.assertEqual(c.wait(), 1)
        self.assertIn("ECONNREFUSED", c.stderr())

    def test_many_invocations_on_one_connection(self):
        c = self.node("let n = 0; exports.handler = async () => ++n;")
        self.assertEqual([c.call() for _ in range(200)], list(range(1, 201)))


class Results(NodeCase):
    def test_values(self):
        c = self.node()
        for code, body in [("undefined", "null"), ("null", "null"), ("'a\"b'", '"a\\"b"'), ("({a: undefined, b: [undefined]})", '{"b":[null]}'),
                           ("NaN", "null"), ("'\\ud800'", '"\\ud800"'), ("'\\u0000é😀'", '"\\u0000é😀"'), ("() => 1", "null"),
                           ("new Date(0)", '"1970-01-01T00:00:00.000Z"'), ("Buffer.from('a')", '{"type":"Buffer","data":[97]}'),
                           ("Promise.resolve({ then(done) { done(4); } })", "4")]:
            self.assertEqual(c.invoke(code)[1].body.decode(), body, code)

    def test_not_serialisable(self):
        c = self.node()
        for code in ("1n", "const a = {}; a.a = a; a", "({ toJSON() { throw new Error('no'); } })"):
            document = c.fail(code)
            self.assertEqual((document["errorType"], document["errorMessage"]), ("Error", "Unable to stringify response body"), code)
        self.assertEqual(c.call("1"), 1)

    def test_callback(self):
        c = self.node("exports.handler = (event, context, callback) => { setTimeout(() => callback(null, event + 1), 1); };")
        self.assertEqual(c.call(1), 2)
        self.assertRegex(c.stdout(), rf"^{TIME}\tundefined\tWARN\t.*Node.js 24")
        self.assertEqual(c.call(2), 3)

    def test_callback_warning_can_be_hidden(self):
        c = self.node("exports.handler = (event, context, callback) => callback();", env=QUIET)
        self.assertIsNone(c.call())
        self.assertEqual(c.stdout(), "")

    def test_no_callback_warning_for_async_functions_and_fewer_parameters(self):
        for source in ("exports.handler = async (a, b, c) => 1;", "exports.handler = (a, b) => Promise.resolve(1);"):
            c = self.node(source)
            self.assertEqual(c.call(), 1)
            self.assertEqual(c.stdout(), "")

    def test_callback_waits_for_the_event_loop(self):
        c = self.node("exports.handler = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = event;"
                      " const begun = Date.now(); const seen = [];"
                      " setTimeout(() => { seen.push('timer'); }, 60); callback(null, seen); };", env=QUIET)
        self.assertEqual(c.call(True), ["timer"])
        self.assertEqual(c.call(False), [])

    def test_callback_error_does_not_wait(self):
        c = self.node("exports.handler = (event, context, callback) => { setTimeout(() => {}, 60000); callback(new TypeError('t')); };",
                      env=QUIET)
        self.assertEqual(c.fail()["errorType"], "TypeError")

    def test_callback_never_called_is_null(self):
        c = self.node("exports.handler = (event, context, callback) => { setTimeout(() => {}, 5); };", env=QUIET)
        self.assertIsNone(c.call())
        self.assertIsNone(c.call())

    def test_first_completion_wins(self):
        c = self.node({"index.js": """
            exports.handler = (event, context, callback) => { eval(event); };"""}, env=QUIET)
        self.assertEqual(c.call("callback(null, 1); callback(null, 2); context.succeed(3); context.fail(new Error('x'))"), 1)
        self.assertEqual(c.call("context.succeed(3); callback(null, 1)"), 3)
        self.assertEqual(c.call("callback(null, 5); throw new Error('later')"), 5)
        self.assertEqual(c.call("global.old = callback; callback(null, 6)"), 6)
        self.assertEqual(c.call("old(null, 'stale'); callback(null, 7)"), 7)

    def test_done_succeed_fail_are_immediate(self):
        c = self.node("exports.handler = (event, context) => { setTimeout(() => {}, 60000); eval(event); };")
        self.assertEqual(c.call("context.succeed({a: 1})"), {"a": 1})
        self.assertEqual(c.call("context.done(null, 2)"), 2)
        self.assertEqual(c.fail("context.fail(new RangeError('r'))")["errorType"], "RangeError")
        self.assertEqual(c.fail("context.done('d')"), {"errorType": "string", "errorMessage": "d", "trace": []})

    def test_plain_function_with_a_promise(self):
        c = self.node("exports.handler = (event) => Promise.resolve(event);")
        self.assertEqual(c.call(3), 3)

    def test_plain_function_without_a_promise_is_null(self):
        c = self.node("exports.handler = (event) => 5;")
        self.assertIsNone(c.call())

    def test_never_settled(self):
        c = self.node()
        document = c.fail("new Promise(() => {})")
        self.assertEqual((document["errorType"], document["errorMessage"]), ("Runtime.NodeJsExit", NEVER))
        self.assertEqual(c.call("8"), 8, "the process lives on")

    def test_node24_has_no_callbacks(self):
        c = self.node("exports.handler = (event, context) => [event, typeof context.done];", runtime="nodejs24.x")
        self.assertEqual(c.call(1), [1, "undefined"])
        c = self.node("exports.handler = (event, context, callback) => callback(null, 1);", runtime="nodejs24.x")
        kind, document, code = c.init_error()
        self.assertEqual((kind, code), ("Runtime.CallbackHandlerDeprecated", 129))

    def test_event_that_is_no_json(self):
        c = self.node()
        self.assertEqual(c.fail(b"{")["errorType"], "SyntaxError")

    def test_background_work_goes_on_in_the_next_invocation(self):
        c = self.node("let ticks = 0; setInterval(() => ticks++, 1); exports.handler = async () => ticks;")
        first = c.call()
        while c.call() <= first:
            pass


class Errors(NodeCase):
    def test_document_and_log(self):
        c = self.node("exports.handler = async () => { const e = new RangeError('far'); e.code = 'E1'; e.more = {a: 1}; throw e; };")
        what, request = c.invoke()
        self.assertEqual(what, "error")
        document = json.loads(request.body)
        self.assertEqual(list(document), ["errorType", "errorMessage", "trace"])
        self.assertEqual((document["errorType"], document["errorMessage"]), ("RangeError", "far"))
        self.assertEqual(document["trace"][0], "RangeError: far")
        self.assertRegex(document["trace"][1], r"^    at .*index\.js:1:\d+\)?$")
        self.assertNotIn("lambda-runtime-function-error-type", request.headers)
        match = re.fullmatch(rf"{TIME}\t({UUID})\tERROR\tInvoke Error \t(\{{.*\}})\n", c.stdout())
        self.assertTrue(match, c.stdout())
        self.assertEqual(match[1], c.id)
        logged = json.loads(match[2])
        self.assertEqual(list(logged), ["errorType", "errorMessage", "code", "more", "stack"])
        self.assertEqual((logged["code"], logged["more"], logged["stack"][0]), ("E1", {"a": 1}, "RangeError: far"))

    def test_thrown_values(self):
        c = self.node()
        for code, kind, message in [("throw 'text'", "string", "text"), ("throw 5", "number", "5"), ("throw ({a: 1})", "object", "[object Object]"),
                                    ("throw true", "boolean", "true"), ("throw Symbol('s')", "symbol", "Symbol(s)"), ("throw ''", "string", "")]:
            self.assertEqual(c.fail(code), {"errorType": kind, "errorMessage": message, "trace": []}, code)

    def test_empty_and_unprintable_values(self):
        c = self.node()
        for code in ("throw undefined", "throw null", "Promise.reject()"):
            self.assertEqual(c.fail(code), {"errorType": "handled", "errorMessage": "handled", "trace": []}, code)
        self.assertRegex(c.fail("throw Object.create(null)")["errorMessage"], "^callback called with Error argument, but ")

    def test_del_character(self):
        c = self.node()
        document = c.fail("throw new Error('a\\x7fb')")
        self.assertEqual((document["errorMessage"], document["trace"][0]), ("a%7Fb", "Error: a%7Fb"))

    def test_own_classes_and_names(self):
        c = self.node()
        self.assertEqual(c.fail("class Mine extends Error {}; throw new Mine('m')")["errorType"], "Error")
        self.assertEqual(c.fail("const e = new Error('m'); e.name = 'Named'; throw e")["errorType"], "Named")
        self.assertEqual(c.fail("throw require('vm').runInNewContext('new TypeError(\"o\")')")["errorType"], "TypeError")
        self.assertEqual(c.fail("throw ({name: 'N', message: 'M', stack: 'S'})"), {"errorType": "N", "errorMessage": "M", "trace": ["S"]})

    def test_circular_properties_are_logged(self):
        c = self.node()
        self.assertEqual(c.fail("const e = new Error('c'); e.self = {e}; throw e")["errorMessage"], "c")
        self.assertIn("Invoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"c\"", c.stdout())

    def test_synchronous_throw_of_a_plain_function(self):
        c = self.node("exports.handler = () => { throw new Error('sync'); };")
        self.assertEqual(c.fail()["errorMessage"], "sync")
        self.assertEqual(c.fail()["errorMessage"], "sync")

    def exits(self, code, kind, message, status, title):
        c = self.node()
        c.poll()
        c.give(code)
        what, request = c.result()
        c.answer(202)
        document = json.loads(request.body)
        self.assertEqual((what, document["errorType"], document["errorMessage"]), ("error", kind, message))
        self.assertEqual(c.wait(), status)
        self.assertRegex(c.stdout(), rf"\n?{TIME}\t{c.id}\tERROR\t{title} \t\{{")

    def test_uncaught_exception(self):
        self.exits("setTimeout(() => { throw new TypeError('late') }, 1), new Promise(() => {})", "TypeError", "late", 129, "Uncaught Exception")

    def test_unhandled_rejection(self):
        self.exits("Promise.reject(new Error('r')), new Promise(() => setTimeout(() => {}, 60000))",
                   "Runtime.UnhandledPromiseRejection", "Error: r", 128, "Unhandled Promise Rejection")

    def test_unhandled_rejection_without_an_error(self):
        self.exits("Promise.reject(), new Promise(() => setTimeout(() => {}, 60000))",
                   "Runtime.UnhandledPromiseRejection", "undefined", 128, "Unhandled Promise Rejection")

    def test_process_exit(self):
        c = self.node()
        c.poll()
        c.give("process.exit(7)")
        self.assertEqual(c.wait(), 7)


class Loading(NodeCase):
    def loads(self, files, handler="index.handler", **more):
        return self.node(files, handler, **more).call()

    def breaks(self, files, kind, message, handler="index.handler", **more):
        c = self.node(files, handler, **more)
        header, document, code = c.init_error()
        self.assertEqual((header, document["errorType"], code), (kind, kind, 129), document)
        if isinstance(message, str):
            self.assertEqual(document["errorMessage"], message)
        else:
            self.assertRegex(document["errorMessage"], message)
        self.assertEqual(list(document), ["errorType", "errorMessage", "trace"])
        self.assertRegex(c.stdout(), rf"{TIME}\tundefined\tERROR\tUncaught Exception \t\{{\"errorType\":\"{re.escape(kind)}\"")
        return document

    def test_resolution_order(self):
        cjs, esm = "exports.handler = async () => '{}';", "export const handler = async () => '{}';"
        files = {"index": cjs.format("bare"), "index.js": cjs.format("js"), "index.mjs": esm.format("mjs"), "index.cjs": cjs.format("cjs")}
        for name, expected in [("index", "bare"), ("index.js", "js"), ("index.mjs", "mjs"), ("index.cjs", "cjs")]:
            self.assertEqual(self.loads(files), expected)
            del files[name]
        self.assertEqual(self.loads({"node_modules/index/package.json": '{"main":"m.js"}', "node_modules/index/m.js": cjs.format("package")}),
                         "package")

    def test_type_module(self):
        esm = "export const handler = async () => import.meta.url.split('/').pop();"
        self.assertEqual(self.loads({"package.json": '{"type":"module"}', "index.js": esm}), "index.js")
        self.assertEqual(self.loads({"package.json": '{"type":"module"}', "a/b/index.js": esm}, "a/b/index.handler"), "index.js")
        cjs = "exports.handler = async () => 'cjs';"
        self.assertEqual(self.loads({"package.json": '{"type":"module"}', "a/package.json": "{}", "a/index.js": cjs}, "a/index.handler"), "cjs")
        self.assertEqual(self.loads({"package.json": '{"type":"module"}', "node_modules/package.json": "{}", "node_modules/index.js": cjs},
                                    "node_modules/index.handler"), "cjs")

    def test_top_level_await(self):
        self.assertEqual(self.loads({"index.mjs": "const v = await Promise.resolve(3);\nexport const handler = async () => v;"}), 3)

    def test_top_level_await_that_never_settles(self):
        c = self.node({"index.mjs": "await new Promise(() => {});\nexport const handler = async () => 1;"})
        self.assertEqual(c.wait(), 13)

    def test_nested_export_and_folders(self):
        self.assertEqual(self.loads({"src/app.js": "exports.api = { v1: { get: async () => 'deep' } };"}, "src/app.api.v1.get"), "deep")
        self.assertEqual(self.loads({"src/app/index.js": "exports.run = async () => 'folder';"}, "src/app.run"), "folder")

    def test_absolute_path(self):
        with tempfile.TemporaryDirectory() as other:
            (pathlib.Path(other) / "abs.js").write_text("exports.handler = async () => 'abs';")
            self.assertEqual(self.loads({}, f"{other}/abs.handler"), "abs")

    def test_layers_through_node_path(self):
        with tempfile.TemporaryDirectory() as layer:
            package = pathlib.Path(layer) / "nodejs/node_modules/shared"
            package.mkdir(parents=True)
            (package / "index.js").write_text("module.exports = 'of the layer';")
            self.assertEqual(self.loads({"index.js": "const s = require('shared'); exports.handler = async () => s;"},
                                        env={"NODE_PATH": f"{layer}/nodejs/node_modules"}), "of the layer")

    def test_missing_module(self):
        c = self.breaks({"index.js": "require('./nosuch');"}, "Runtime.ImportModuleError",
                        re.compile(r"^Error: Cannot find module '\./nosuch'\nRequire stack:\n- .*/task/index\.js"))
        self.assertEqual(c["trace"][0], "Runtime.ImportModuleError: Error: Cannot find module './nosuch'")

    def test_missing_handler_file(self):
        self.breaks({}, "Runtime.ImportModuleError", re.compile(r"^Error: Cannot find module 'index'\nRequire stack:\n"))

    def test_missing_import_of_a_module(self):
        self.breaks({"index.mjs": "import x from './nosuch.mjs';"}, "Error", re.compile("^Cannot find module '.*nosuch.mjs' imported from "))

    def test_syntax_error(self):
        document = self.breaks({"index.js": "exports.handler = (\n"}, "Runtime.UserCodeSyntaxError", re.compile("^SyntaxError: "))
        self.assertIn("index.js:", "\n".join(document["trace"]))

    def test_handler_not_found(self):
        self.breaks("exports.other = 1;", "Runtime.HandlerNotFound", "index.handler is undefined or not exported")
        self.breaks("exports.handler = 5;", "Runtime.HandlerNotFound", "index.handler is not a function")
        self.breaks("exports.a = {};", "Runtime.HandlerNotFound", "index.a.b.c is undefined or not exported", "index.a.b.c")

    def test_malformed_names(self):
        self.breaks("", "Runtime.MalformedHandlerName", "'../index.handler' is not a valid handler name. Use absolute paths when specifying "
                    "root directories in handler names.", "../index.handler")
        self.breaks("", "Runtime.MalformedHandlerName", "Bad handler", "index")
        self.breaks("", "Runtime.MalformedHandlerName", "Bad handler", "")

    def test_error_while_loading(self):
        self.breaks("throw new RangeError('load');", "RangeError", "load")
        self.breaks("class E extends Error {}; E.prototype.name = 'Ä\\n'; throw new E('x');".replace("Ä\\n", "Odd"), "Odd", "x")

    def test_header_of_an_odd_type(self):
        c = self.node("const e = new Error('x'); e.name = 'Ä\\r\\nEvil: 1'; throw e;")
        kind, document, code = c.init_error()
        self.assertEqual((kind, document["errorType"], code), ("???Evil: 1", "Ä\r\nEvil: 1", 129))

    def test_uncaught_while_loading(self):
        c = self.node({"index.mjs": "setTimeout(() => { throw new TypeError('t'); }, 1); await new Promise((d) => setTimeout(d, 60000));"})
        kind, document, code = c.init_error()
        self.assertEqual((kind, code), ("TypeError", 129))

    def test_rejection_while_loading(self):
        c = self.node({"index.mjs": "Promise.reject(new Error('r')); await new Promise((d) => setTimeout(d, 60000));"})
        kind, document, code = c.init_error()
        self.assertEqual((kind, code), ("Runtime.UnhandledPromiseRejection", 128))

    def test_wrapper(self):
        with tempfile.TemporaryDirectory() as d:
            wrapper = pathlib.Path(d) / "wrap"
            wrapper.write_text('#!/bin/sh\nexport WRAPPED="$#"\nexec "$@"\n')
            wrapper.chmod(0o755)
            c = self.node(wrap=[str(wrapper)])
            self.assertEqual(c.call("process.env.WRAPPED"), "4")


class Context(NodeCase):
    def test_everything(self):
        c = self.node("exports.handler = async (event, context) => ({ ...context, left: context.getRemainingTimeInMillis(),"
                      " kinds: ['done', 'succeed', 'fail'].map((k) => typeof context[k]), keys: Object.keys(context) });")
        left = int(time.time() * 1000) + 5000
        answer = c.call(b"{}", Lambda_Runtime_Client_Context='{"custom":{"k":"ü"},"client":{"app_title":"T"}}'.encode().decode("latin1")
                        .encode("latin1").decode(), Lambda_Runtime_Cognito_Identity='{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}',
                        Lambda_Runtime_Deadline_Ms=str(left), Lambda_Runtime_Aws_Tenant_Id="blue")
        self.assertTrue(0 < answer.pop("left") <= 5000)
        self.assertEqual(answer.pop("kinds"), ["function"] * 3)
        answer.pop("keys")
        self.assertEqual(answer, {
            "callbackWaitsForEmptyEventLoop": True, "functionVersion": "$LATEST", "functionName": "fn", "memoryLimitInMB": "256",
            "logGroupName": "/aws/lambda/fn", "logStreamName": "2026/01/01/[$LATEST]" + "0" * 32,
            "clientContext": {"custom": {"k": "ü"}, "client": {"app_title": "T"}},
            "identity": {"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}, "invokedFunctionArn": ARN, "awsRequestId": c.id,
            "tenantId": "blue"})

    def test_absent_parts(self):
        c = self.node()
        self.assertEqual(c.call("[context.identity, context.clientContext, context.tenantId].map((x) => typeof x)"), ["undefined"] * 3)

    def test_broken_client_context(self):
        c = self.node()
        self.assertRegex(c.fail("1", Lambda_Runtime_Client_Context="{")["errorMessage"], "^Cannot parse ClientContext as json: SyntaxError: ")
        self.assertEqual(c.call("1"), 1)

    def test_trace_id_of_each_invocation(self):
        c = self.node()
        code = "process.env._X_AMZN_TRACE_ID === undefined ? 'none' : process.env._X_AMZN_TRACE_ID"
        self.assertEqual(c.call(code, Lambda_Runtime_Trace_Id="Root=1;Sampled=1"), "Root=1;Sampled=1")
        self.assertEqual(c.call(code, Lambda_Runtime_Trace_Id=None), "none")

    def test_platform_variables_are_gone(self):
        c = self.node(framed=True)
        self.assertEqual(c.call("Object.keys(process.env).filter((k) => k.startsWith('_LAMBDA'))"), [])


class Logs(NodeCase):
    def test_text_on_stdout(self):
        c = self.node()
        c.call("console.log('a %s', 1), console.info('b'), console.debug('c'), console.warn('d'), console.error('e', {f: [1]}),"
               " console.trace('g'), console.fatal('h'), console.log(), console.log('x\\ny'), console.log({a: 1}), 1")
        lines = c.stdout().split("\n")
        self.assertEqual(lines.pop(), "")
        for line in lines:
            self.assertRegex(line, rf"^{TIME}\t{c.id}\t")
        self.assertEqual([line.split("\t", 2)[2] for line in lines],
                         ["INFO\ta 1", "INFO\tb", "DEBUG\tc", "WARN\td", "ERROR\te { f: [ 1 ] }", "TRACE\tg", "FATAL\th", "INFO\t",
                          "INFO\tx\ry", "INFO\t{ a: 1 }"])

    def test_request_id_is_undefined_during_init(self):
        c = self.node("console.log('loading');" + EVAL)
        c.poll()
        self.assertRegex(c.stdout(), rf"^{TIME}\tundefined\tINFO\tloading\n$")

    def test_text_frames(self):
        c = self.node(framed=True)
        before = time.time()
        c.call("console.log('one\\ntwo é'), console.trace(1), console.debug(2), console.warn(3), console.error(4), console.fatal(5)")
        frames = c.frames(6)
        self.assertEqual([f.kind for f in frames], ["a55a000f", "a55a0007", "a55a000b", "a55a0013", "a55a0017", "a55a001b"])
        self.assertRegex(frames[0].text, rf"^{TIME}\t{c.id}\tINFO\tone\ntwo é\n$")
        self.assertTrue(abs(frames[0].time / 1e6 - before) < 20, frames[0].time)
        self.assertEqual(c.stdout(), "")

    def test_plain_stdout_beside_frames(self):
        c = self.node(framed=True)
        c.call("process.stdout.write('raw\\n'), console.log('framed')")
        self.assertEqual(c.stdout(), "raw\n")

    def test_json_lines(self):
        c = self.node(env={"AWS_LAMBDA_LOG_FORMAT": "JSON"})
        c.call("console.log('a'), console.log({b: 1}), console.log('c %d', 2, 'd'), console.log(1n),"
               " console.error('failed:', new TypeError('t')), console.error(new RangeError('r')), console.log()",
               Lambda_Runtime_Aws_Tenant_Id="blue")
        lines = [json.loads(line) for line in c.stdout().splitlines()]
        for line in lines:
            self.assertRegex(line.pop("timestamp"), rf"^{TIME}$")
            self.assertEqual((line.pop("requestId"), line.pop("tenantId")), (c.id, "blue"))
        self.assertEqual(lines[:4], [{"level": "INFO", "message": "a"}, {"level": "INFO", "message": {"b": 1}},
                                     {"level": "INFO", "message": "c 2 d"}, {"level": "INFO", "message": "1n"}])
        self.assertEqual(list(lines[4]), ["level", "message", "errorType", "errorMessage", "stackTrace"])
        self.assertEqual((lines[4]["errorType"], lines[4]["errorMessage"], lines[4]["stackTrace"][0]), ("TypeError", "t", "TypeError: t"))
        self.assertEqual(list(lines[5]["message"]), ["errorType", "errorMessage", "stackTrace"])

    def test_json_frames(self):
        c = self.node(framed=True, env={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "TRACE"})
        c.call("console.log('a'), console.fatal('b'), console.trace('c')")
        frames = c.frames(3)
        self.assertEqual([f.kind for f in frames], ["a55a000e", "a55a001a", "a55a0006"])
        self.assertEqual(list(json.loads(frames[0].text)), ["timestamp", "level", "requestId", "message"])

    def test_json_during_init_has_no_request_id(self):
        c = self.node("console.log('x');" + EVAL, env={"AWS_LAMBDA_LOG_FORMAT": "JSON"})
        c.poll()
        self.assertEqual(list(json.loads(c.stdout())), ["timestamp", "level", "message"])

    def test_levels(self):
        code = "for (const n of ['trace', 'debug', 'log', 'warn', 'error', 'fatal']) console[n](n)"
        for level, first in [("TRACE", 0), ("debug", 1), ("INFO", 2), ("WARN", 3), ("ERROR", 4), ("FATAL", 5)]:
            c = self.node(env={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": level})
            c.call(code)
            self.assertEqual([json.loads(line)["message"] for line in c.stdout().splitlines()],
                             ["trace", "debug", "log", "warn", "error", "fatal"][first:], level)

    def test_error_log_in_json(self):
        c = self.node(env={"AWS_LAMBDA_LOG_FORMAT": "JSON"})
        c.fail("throw new RangeError('r')")
        line = json.loads(c.stdout())
        self.assertEqual((line["level"], line["message"]["errorType"], line["message"]["errorMessage"]), ("ERROR", "RangeError", "r"))

    def test_wrong_descriptor_falls_back_to_stdout(self):
        for number in ("99", "x", ""):
            c = self.node(env={"_LAMBDA_TELEMETRY_LOG_FD": number})
            c.call("console.log('here')")
            self.assertIn("\there\n", c.stdout())


STREAM = "exports.handler = awslambda.streamifyResponse(async (event, stream, context) => { %s });"


class Streaming(NodeCase):
    def stream(self, body, event=b"{}", **more):
        c = self.node(STREAM % body, **more)
        c.poll()
        c.give(event)
        what, request = c.result()
        self.assertEqual(what, "response")
        self.assertEqual(request.headers["lambda-runtime-function-response-mode"], "streaming")
        self.assertEqual(request.headers["transfer-encoding"], "chunked")
        self.assertEqual(request.headers["trailer"], "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")
        c.answer(202)
        return c, request

    def test_chunks(self):
        c, request = self.stream("stream.write('one'); await new Promise((d) => setTimeout(d, 20)); stream.write(Buffer.from('two'));"
                                 " stream.write({three: 3}); stream.end('é');")
        self.assertEqual(request.body, 'onetwo{"three":3}é'.encode())
        self.assertEqual(request.headers["content-type"], "application/octet-stream")
        self.assertEqual(request.trailers, {})
        c.poll()
        c.give()
        c.result()

    def test_content_type(self):
        c, request = self.stream("stream.setContentType('text/html'); stream.end('x');")
        self.assertEqual(request.headers["content-type"], "text/html")

    def test_content_type_too_late(self):
        c, request = self.stream("stream.write('a'); try { stream.setContentType('b') } catch (e) { stream.write(e.name + e.message) }"
                                 " stream.end();")
        self.assertEqual(request.body, b"aRuntime.InvalidStreamingOperationCannot set content-type, too late.")

    def test_http_prelude(self):
        for write in ("s.write('body'); s.end();", "s.end('body');"):
            c, request = self.stream("const s = awslambda.HttpResponseStream.from(stream, {statusCode: 201, headers: {a: 'b'}, cookies: ['c']});" + write)
            self.assertEqual(request.headers["content-type"], "application/vnd.awslambda.http-integration-response")
            self.assertEqual(request.body, b'{"statusCode":201,"headers":{"a":"b"},"cookies":["c"]}' + bytes(8) + b"body")

    def test_empty(self):
        c, request = self.stream("stream.end();")
        self.assertEqual((request.body, request.raw), (b"", b"0|"))

    def test_pipeline_of_a_large_body(self):
        c, request = self.stream("await require('stream/promises').pipeline(require('stream').Readable.from("
                                 "(function* () { for (let i = 0; i < 100; i++) yield Buffer.alloc(65536, i); })()), stream);")
        self.assertEqual(len(request.body), 6553600)
        self.assertEqual(request.body[-1], 99)

    def test_pipe_without_waiting(self):
        c, request = self.stream("require('stream').Readable.from(['a', 'b']).pipe(stream);")
        self.assertEqual(request.body, b"ab")

    def test_high_water_mark(self):
        c = self.node("exports.handler = awslambda.streamifyResponse(async (e, s) => { s.end(String(s.writableHighWaterMark)); },"
                      " {highWaterMark: 99});")
        c.poll()
        c.give()
        self.assertEqual(c.result()[1].body, b"99")

    def test_error_before_the_first_byte(self):
        c = self.node(STREAM % "throw new TypeError('early')")
        self.assertEqual(c.fail()["errorType"], "TypeError")
        self.assertEqual(c.fail()["errorType"], "TypeError")

    def test_error_in_the_middle(self):
        c, request = self.stream("stream.write('half'); await 1; throw new TypeError('mid');")
        self.assertEqual(request.body, b"half")
        self.assertEqual(request.trailers["lambda-runtime-function-error-type"], "TypeError")
        document = json.loads(base64.b64decode(request.trailers["lambda-runtime-function-error-body"]))
        self.assertEqual(list(document), ["errorType", "errorMessage", "trace"])
        self.assertEqual((document["errorType"], document["errorMessage"]), ("TypeError", "mid"))
        c.poll()
        self.assertIn("\tERROR\tInvoke Error \t{", c.stdout())

    def test_uncaught_in_the_middle(self):
        c, request = self.stream("stream.write('half'); setTimeout(() => { throw new TypeError('t') }, 1); await new Promise(() => {});")
        self.assertEqual(request.trailers["lambda-runtime-function-error-type"], "TypeError")
        self.assertEqual(c.wait(), 129)

    def test_not_finished(self):
        c = self.node(STREAM % "")
        self.assertEqual(c.fail()["errorMessage"], "Response stream is not finished.")
        c, request = self.stream("stream.write('a');")
        document = json.loads(base64.b64decode(request.trailers["lambda-runtime-function-error-body"]))
        self.assertEqual(document["errorMessage"], "Response stream is not finished.")

    def test_never_settled(self):
        c = self.node(STREAM % "await new Promise(() => {});")
        self.assertEqual(c.fail()["errorType"], "Runtime.NodeJsExit")

    def test_not_async(self):
        c = self.node("exports.handler = awslambda.streamifyResponse((event, stream) => { stream; });")
        self.assertEqual(c.fail()["errorMessage"], "Streaming does not support non-async handlers.")

    def test_return_value_is_ignored_with_a_warning(self):
        c, request = self.stream("stream.end('x'); return 5;")
        c.poll()
        self.assertIn("\tWARN\tStreaming handlers ignore return values.\n", c.stdout())

    def test_writing_after_the_end_is_harmless(self):
        c, request = self.stream("stream.end('x'); stream.write('y');")
        self.assertEqual(request.body, b"x")
        c.poll()

    def test_next_poll_waits_for_the_event_loop(self):
        c, request = self.stream("stream.end('x'); setTimeout(() => console.log('work'), 50);")
        c.poll()
        self.assertIn("\twork\n", c.stdout())

    def test_connection_lost_in_a_stream(self):
        c = self.node(STREAM % "for (;;) { stream.write('x'); await new Promise((d) => setTimeout(d, 1)); }")
        c.poll()
        c.give()
        c._more()
        c.drop()
        self.assertEqual(c.wait(), 1)

    def test_unknown_kind_of_streaming(self):
        c = self.node("exports.handler = async () => 1; exports.handler[Symbol.for('aws.lambda.runtime.handler.streaming')] = 'request';")
        kind, document, code = c.init_error()
        self.assertEqual((kind, document["errorMessage"]), ("Runtime.MalformedStreamingHandler", "Only response streaming is supported."))

    def test_global_can_be_turned_off(self):
        c = self.node(env={"AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA": "1"})
        self.assertEqual(c.call("typeof awslambda"), "undefined")


if __name__ == "__main__":
    unittest.main()
