"""Runtime client of the managed runtimes python3.x.

Loads the handler, then for ever: takes an event, calls the handler, sends the result. This module holds what every
function needs and no more: the socket and JSON by their C parts here, error documents in _lambkin_errors, the logging
package's handler in _lambkin_logging, both loaded when first used. The response and the request for the next event
leave in one write."""
import _socket
import io
import marshal as _marshal
import os
import sys
import time

BASE = "/2018-06-01/runtime"
RUNTIME_DIR = os.path.dirname(os.path.abspath(__file__))
VERSION = "%d.%d" % sys.version_info[:2]


def become_zygote():
    """Goes on in processes that are forked for functions, in their sandboxes, and only there: see src/launch/zygote.h.
    What is there now is never garbage, and a collection that leaves it alone copies no page of it."""
    import gc
    del sys.modules["gc"]
    gc.collect()
    gc.freeze()
    os.fork()


def wait_parked():
    """Booted ahead of its function, waits for it: then the variables are its own, to the last one."""
    text = os.environ.get("_LAMBKIN_PARKED_FD")
    if text is None:
        return
    fd, block, locale = int(text), b"", os.environ.get("LC_CTYPE")
    zygote = "_LAMBKIN_ZYGOTE" in os.environ
    os.environ.clear()
    if zygote:
        become_zygote()
    else:
        os.write(fd, b"p")
    while more := os.read(fd, 65536):
        block += more
    os.close(fd)
    if not block:
        sys.exit(0)  # nobody needs it any more
    os.environb.update(pair.split(b"=", 1) for pair in block.split(b"\0") if pair)
    if locale:
        os.environ.setdefault("LC_CTYPE", locale)  # the interpreter's own doing (PEP 538)
    os.chdir(os.environ["LAMBDA_TASK_ROOT"])


class Asked:
    """What the function asked for, whatever runs it. From 3.12 on non-ASCII characters are sent as they are."""
    version = VERSION
    escape = False


class Invocation:
    """The one in progress, for the logs."""
    request_id = ""
    tenant_id = None


# ---- JSON: importing the whole package would load re and more ----

class _Plain:
    """What a json.JSONDecoder without hooks looks like from C."""
    strict, object_hook, object_pairs_hook, parse_float, parse_int, memo = True, None, None, float, int, {}
    parse_constant = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}.__getitem__


class _DecimalFound(Exception):
    pass


def _default(value):
    if type(value).__name__ == "Decimal" and hasattr(value, "is_nan"):
        raise _DecimalFound
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


try:
    import _json
    _scan = _json.make_scanner(_Plain())

    def loads(text):
        try:
            value, end = _scan(text, len(text) - len(text.lstrip(" \t\n\r")))
        except (StopIteration, SystemError):  # the latter where json.decoder, which has the exception, is not loaded
            end = -1
        if end < 0 or (end < len(text) and text[end:].strip(" \t\n\r")):
            import json
            return json.loads(text)  # says what is wrong, and where
        return value

    def _encode(value, default, escape):
        return "".join(_json.make_encoder({}, default, escape, None, ": ", ", ", False, False, True)(value, 0))

    _escapes = {True: _json.encode_basestring_ascii, False: _json.encode_basestring}
except (ImportError, AttributeError, TypeError):
    from json import loads
    from json.encoder import encode_basestring, encode_basestring_ascii
    _escapes = {True: encode_basestring_ascii, False: encode_basestring}

    def _encode(value, default, escape):
        from json import encoder
        return "".join(encoder._make_iterencode({}, default, escape, None, float.__repr__, ": ", ", ", False, False, False)(value, 0))


def dumps(value, escape=False):
    try:
        return _encode(value, _default, _escapes[escape])
    except _DecimalFound:
        from _lambkin_errors import encode_decimals
        return encode_decimals(value, _encode, _escapes[escape], _default)


def dump_bytes(value, escape):
    """Bytes and objects with _asdict (named tuples) become what simplejson makes of them, which Lambda's own client uses."""
    try:
        _marshal.dumps(value, 2)  # knows plain types alone: a named tuple, which would pass for a list, fails here, in a moment
        text = dumps(value, escape)
    except (TypeError, ValueError):
        from _lambkin_errors import plain
        value = plain(value)
        text = dumps(value, escape)
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return dumps(value, True).encode()


# ---- output ----

class Output(io.TextIOWrapper):
    """Standard output and error: nothing waits in here while the environment is frozen or killed."""

    def write(self, text):
        written = super().write(text)
        self.flush()
        return written


def unbuffered(stream):
    output = Output(stream.detach(), encoding="utf-8", errors="backslashreplace", newline="\n")
    output.mode = "w"
    return output


class Sink:
    """Log events: on the framed pipe, where one may have several lines, else on standard output."""

    def __init__(self):
        self.fd = None
        try:
            fd = int(os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", ""))
            os.set_inheritable(fd, False)
            os.set_blocking(fd, True)
            self.fd = fd
        except (ValueError, OSError, OverflowError):
            pass

    def write(self, text, level=0, as_text=True):
        """level: 0 unspecified, 1 TRACE ... 6 FATAL"""
        if self.fd is None:
            sys.stdout.write(text)
            return
        data = text.encode("utf-8", "backslashreplace")
        head = (0xA55A0002 + (level << 2) + as_text).to_bytes(4, "big") + len(data).to_bytes(4, "big")
        data = head + (time.time_ns() // 1000).to_bytes(8, "big") + data
        while data:
            data = data[os.write(self.fd, data):]


class OwnModules:
    """What Lambda's own client has loaded before the function is the interpreter's, whatever else has such a name in /var/task
    or in a layer: there it lies in sys.modules by now, here it is loaded when it is needed."""
    names = frozenset(
        "abc codecs collections concurrent contextlib copyreg decimal encodings enum functools genericpath importlib io json keyword "
        "linecache logging math numbers operator os posixpath re reprlib stat string textwrap threading token tokenize traceback types "
        "typing warnings weakref".split())
    library = os.path.dirname(os.__file__)
    folders = [library, library + "/lib-dynload"]

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if path is not None or name not in cls.names:
            return None
        from _frozen_importlib_external import PathFinder
        return PathFinder.find_spec(name, cls.folders)


class LoggingHook:
    """Waits for `import logging`: most functions never do it, and it costs milliseconds."""

    def __init__(self, sink):
        self.sink = sink

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec
        spec = find_spec(name)
        if spec is not None:
            self.run, self.loader = spec.loader.exec_module, spec.loader
            spec.loader = self
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self.loader
        self.run(module)
        from _lambkin_logging import install
        install(module, self.sink, Invocation, dumps)


# ---- the Runtime API ----

class Api:
    """One connection. If it is lost it is made anew, and what had no answer is sent again."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.address = (host, int(port))
        self.head = "Host: %s\r\nUser-Agent: aws-lambda-python/%s-lambkin\r\n\r\n" % (address, sys.version.split()[0])
        self.poll = ("GET %s/invocation/next HTTP/1.1\r\n%s" % (BASE, self.head)).encode()
        self.socket = None
        self.repeated = False

    def connect(self):
        self.data = b""
        self.answered = False
        self.socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        self.socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self.socket.connect(self.address)

    def ask(self, *requests):
        """All of them in one write; returns their answers."""
        answers = []
        self.repeated = False
        while True:
            try:
                if self.socket is None:
                    self.connect()
                self.socket.sendall(b"".join(requests[len(answers):]))
                while len(answers) < len(requests):
                    answers.append(self.receive())
                    self.answered = True
                return answers
            except OSError as error:
                if not self.answered:  # the platform is gone
                    raise SystemExit("lambkin runtime client: no connection to the Runtime API: %s" % error)
                self.socket.close()
                self.socket = None
                self.repeated = True

    def receive(self):
        """(status, headers by lower-case name, body)"""
        data = self.data
        while True:
            end = data.find(b"\r\n\r\n")
            if end >= 0:
                status, headers, length = self.parse(data[:end])
                data = data[end + 4:]
                if status >= 200:  # 1xx: the answer is still to come
                    break
                continue
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionResetError("it was closed")
            data += more
        have = len(data)
        if have >= length:
            self.data = data[length:]
            return status, headers, data[:length]
        self.data = b""
        body = bytearray(length)
        body[:have] = data
        view = memoryview(body)
        while have < length:
            got = self.socket.recv_into(view[have:])
            if not got:
                raise ConnectionResetError("it was closed")
            have += got
        return status, headers, body

    @staticmethod
    def parse(head):
        lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        version, _, status = lines[0].partition(" ")
        length = headers.get("content-length", "0")
        if version[:5] != "HTTP/" or not status[:3].isdigit() or not (length.isascii() and length.isdigit()) or "transfer-encoding" in headers:
            raise SystemExit("lambkin runtime client: the Runtime API sent no answer of a known kind")
        return int(status[:3]), headers, int(length)

    def post(self, path, body, content_type="application/json", more=""):
        head = "POST %s%s HTTP/1.1\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s%s"
        return (head % (BASE, path, content_type, len(body), more, self.head)).encode() + body

    def next(self):
        return self.event(self.ask(self.poll)[0])

    def finish(self, path, body, content_type):
        """Sends a result; returns the next event."""
        (status, _, _), answer = self.ask(self.post(path, body, content_type), self.poll)
        if status // 100 != 2 and not self.repeated:
            raise SystemExit("lambkin runtime client: the Runtime API answered %d to a result" % status)
        return self.event(answer)

    @staticmethod
    def event(answer):
        if answer[0] != 200:
            raise SystemExit("lambkin runtime client: the Runtime API answered %d when asked for the next event" % answer[0])
        return answer[1:]


# ---- context ----

class _Record:
    __slots__ = ()

    def __init__(self, values):
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self):
        return "%s([%s])" % (type(self).__name__, ",".join("%s=%s" % (name, getattr(self, name)) for name in self.__slots__))


class CognitoIdentity(_Record):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(_Record):
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(_Record):
    __slots__ = ("custom", "env", "client")


class Fault(Exception):
    """A failure with a type of the runtime's: Runtime.ImportModuleError and so on."""

    def __init__(self, kind, message, stack=()):
        super().__init__(message)
        self.kind = "Runtime." + kind
        self.stack = list(stack)


def parse_header(headers, name, title):
    text = headers.get(name)
    if not text:
        return None
    try:
        return loads(text)
    except Exception as error:
        raise Fault("LambdaContextUnmarshalError", "Unable to parse %s JSON: %s" % (title, error)) from None


class LambdaContext:
    def __init__(self, headers, sink):
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        client = parse_header(headers, "lambda-runtime-client-context", "Client Context")
        self.client_context = None if client is None else ClientContext(client)
        if client and client.get("client") is not None:
            self.client_context.client = Client(client["client"])
        who = parse_header(headers, "lambda-runtime-cognito-identity", "Cognito Identity") or {}
        self.identity = CognitoIdentity({"cognito_identity_id": who.get("cognitoIdentityId"),
                                         "cognito_identity_pool_id": who.get("cognitoIdentityPoolId")})
        self._epoch_deadline_time_in_ms = int(headers.get("lambda-runtime-deadline-ms") or 0)
        self._sink = sink

    def get_remaining_time_in_millis(self):
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def log(self, msg):
        self._sink.write(str(msg))

    def __repr__(self):
        shown = ",".join("%s=%s" % (k, v) for k, v in self.__dict__.items() if k[0] != "_")
        return "LambdaContext([%s])" % shown


# ---- the handler ----

def load_handler(text):
    try:
        name, function = text.rsplit(".", 1)
    except ValueError as error:
        raise Fault("MalformedHandlerName", "Bad handler '%s': %s" % (text, error)) from None
    if name.split(".")[0] in sys.builtin_module_names:
        raise Fault("BuiltInModuleConflict", "Cannot use built-in module %s as a handler module" % name)
    path = name.replace("/", ".")
    try:
        __import__(path)
    except ImportError as error:
        raise Fault("ImportModuleError", "Unable to import module '%s': %s" % (name, error)) from None
    except SyntaxError as error:
        where = '  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)
        raise Fault("UserCodeSyntaxError", "Syntax error in module '%s': %s" % (name, error), [where]) from None
    try:
        return getattr(sys.modules[path], function)
    except AttributeError:
        raise Fault("HandlerNotFound", "Handler '%s' missing on module '%s'" % (function, name)) from None


def unmarshal(headers, body):
    if headers.get("content-type", "application/json").partition(";")[0].strip() != "application/json":
        return bytes(body)
    try:
        return loads(str(body, "utf-8"))
    except Exception as error:
        raise Fault("UnmarshalError", "Unable to unmarshal input: %s" % error) from None


def marshal(result):
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        return dump_bytes(result, Asked.escape), "application/json"
    except Exception as error:
        raise Fault("MarshalError", "Unable to marshal response: %s" % error) from None


def call(handler, headers, body, sink):
    """What to answer: path, body, content type."""
    path = "/invocation/%s/" % Invocation.request_id
    try:
        return (path + "response", *marshal(handler(unmarshal(headers, body), LambdaContext(headers, sink))))
    except Exception as error:
        return path + "error", dump_bytes(report(error, sink), Asked.escape), "application/json"


def report(error, sink):
    """Logs an error; returns its document."""
    from _lambkin_errors import document_of, log_error
    document = document_of(error, Invocation.request_id, Asked.version)
    log_error(document, sink, dumps)
    return document


def fail_init(error, api, sink):
    import logging
    logging.warning("LAMBDA_WARNING: Unhandled exception while the function was being loaded: its own code, or a package that it "
                    "brings along, is the most likely cause.")
    document = report(error, sink)
    kind = document["errorType"].encode("ascii", "replace").decode()
    api.ask(api.post("/init/error", dump_bytes(document, Asked.escape), more="Lambda-Runtime-Function-Error-Type: %s\r\n" % kind))
    sys.exit(1)


def prepare(sink):
    """Makes the interpreter look to the function as Lambda's does."""
    sys.stdout = sys.__stdout__ = unbuffered(sys.stdout)
    sys.stderr = sys.__stderr__ = unbuffered(sys.stderr)
    Asked.version = os.environ.get("AWS_EXECUTION_ENV", "").rpartition("python")[2] or VERSION
    Asked.escape = Asked.version in ("3.6", "3.7", "3.8", "3.9", "3.10", "3.11")
    # of the runtime that the function asked for and, where another one runs it, of that one, too
    versions = [Asked.version] + [VERSION] * (VERSION != Asked.version)
    front = [os.environ.get("LAMBDA_TASK_ROOT", "/var/task"), *("/opt/python/lib/python%s/site-packages" % v for v in versions), "/opt/python",
             RUNTIME_DIR]
    sys.path[:] = front + [p for p in sys.path if p not in front]
    import builtins
    builtins.exit = builtins.quit = sys.exit  # from `site`, which is not loaded: the host's packages are not the function's
    sys.meta_path[:0] = [LoggingHook(sink), OwnModules]


def main():
    sink = Sink()
    prepare(sink)
    api = Api(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load_handler(os.environ.get("_HANDLER", ""))
    except Exception as error:
        fail_init(error, api, sink)
    headers, body = api.next()
    while True:
        Invocation.request_id = headers["lambda-runtime-aws-request-id"]
        Invocation.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        trace = headers.get("lambda-runtime-trace-id")
        if trace:
            os.environ["_X_AMZN_TRACE_ID"] = trace
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        headers, body = api.finish(*call(handler, headers, body, sink))
