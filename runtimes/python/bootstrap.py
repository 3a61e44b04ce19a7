"""Runtime client of the managed runtimes python3.x.

Loads the handler, then for ever: takes an event, calls the handler, sends the result. To start fast it imports nothing
that it does not need for every function: the socket and the JSON codec are used through their C parts, `logging` is
prepared only if the function imports it. The response and the request for the next event leave in one write."""
import _socket
import os
import sys
import time

RUNTIME_API = os.environ["AWS_LAMBDA_RUNTIME_API"]
BASE = "/2018-06-01/runtime"
TASK_ROOT = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
RUNTIME = os.environ.get("AWS_EXECUTION_ENV", "").rpartition("python")[2]
# From python3.12 on non-ASCII characters are sent as they are; before, they are escaped.
ESCAPE = RUNTIME.partition(".")[2].isdigit() and int(RUNTIME.partition(".")[2]) < 12
AS_JSON = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"
LEVELS = {"TRACE": 1, "DEBUG": 2, "INFO": 3, "WARN": 4, "WARNING": 4, "ERROR": 5, "FATAL": 6, "CRITICAL": 6}
WARNING = ("LAMBDA_WARNING: Unhandled exception. The function could not be loaded: its own code or a package of it is "
           "the most likely cause.")
request_id = None  # of the invocation in progress


# ---- JSON, by the C parts of the json package: importing all of it would load re and more ----

class _Context:
    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}.__getitem__
    memo = {}


def _default(value):
    if type(value).__name__ == "Decimal" and hasattr(value, "to_integral_value"):
        return int(value) if value == value and value == value.to_integral_value() and value.as_tuple()[2] >= 0 else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


try:
    import _json
    _scan = _json.make_scanner(_Context())
    _escape_all, _escape_some = _json.encode_basestring_ascii, _json.encode_basestring

    def loads(text):
        start = len(text) - len(text.lstrip(" \t\n\r"))
        try:
            value, end = _scan(text, start)
        except StopIteration:
            end = -1
        if end < 0 or text[end:].strip(" \t\n\r"):
            import json
            return json.loads(text)  # says what is wrong, and where
        return value

    def dumps(value, escape=True):
        encode = _json.make_encoder({}, _default, _escape_all if escape else _escape_some, None, ": ", ", ", False, False, True)
        return "".join(encode(value, 0))
except (ImportError, AttributeError):
    import json

    loads = json.loads

    def dumps(value, escape=True):
        return json.dumps(value, default=_default, ensure_ascii=escape)


# ---- logs ----

class Sink:
    """Where events of several lines go: the framed pipe if there is one, else standard output."""

    def __init__(self):
        number = os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", None)
        try:
            self.fd = int(number)
            os.fstat(self.fd)
            os.set_inheritable(self.fd, False)
        except (TypeError, ValueError, OSError):
            self.fd = None

    def write(self, text, level, as_text=True):
        """One event; it keeps its line ends only in a frame."""
        if self.fd is None:
            sys.stdout.write(text if text.endswith("\n") else text.replace("\n", "\r") + "\n")
            sys.stdout.flush()
            return
        data = text.encode("utf-8", "replace")
        kind = 0xA55A0000 + (LEVELS.get(level, 0) << 2) + 2 + (1 if as_text else 0)
        head = kind.to_bytes(4, "big") + len(data).to_bytes(4, "big") + int(time.time() * 1e6).to_bytes(8, "big")
        sys.stdout.flush()
        data = head + data
        while data:
            data = data[os.write(self.fd, data):]


sink = Sink()


def now_text(seconds=None, milliseconds=True):
    seconds = time.time() if seconds is None else seconds
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{text}.{int(seconds * 1000) % 1000:03d}Z" if milliseconds else text + "Z"


def install_logging(logging):
    """The root handler that Lambda's Python runtimes have from the start."""

    class Handler(logging.Handler):
        def emit(self, record):
            try:
                level = "FATAL" if record.levelname == "CRITICAL" else record.levelname
                sink.write(self.format(record), level, not AS_JSON)
            except Exception:  # as every handler of the logging package does
                self.handleError(record)

    class Text(logging.Formatter):
        def format(self, record):
            message = record.getMessage()
            if record.exc_info and not record.exc_text:
                record.exc_text = self.formatException(record.exc_info)
            for more in (record.exc_text, record.stack_info):
                if more:
                    message += "\n" + more
            return f"[{record.levelname}]\t{now_text(record.created)}\t{request_id or ''}\t{message}\n"

    class Json(logging.Formatter):
        known = frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {"message", "asctime", "taskName"}

        def format(self, record):
            out = {"timestamp": now_text(record.created, False), "level": record.levelname, "message": record.getMessage(),
                   "logger": record.name, "requestId": request_id or None}
            if record.exc_info and record.exc_info[0]:
                etype, value, trace = record.exc_info
                out["stackTrace"] = format_frames(trace)
                out["errorType"] = etype.__name__
                out["errorMessage"] = str(value)
                out["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
            out.update((k, v) for k, v in record.__dict__.items() if k not in self.known)
            out = {k: v for k, v in out.items() if v is not None}
            try:
                return dumps(out, False) + "\n"
            except (TypeError, ValueError):
                return dumps({k: v if isinstance(v, (str, int, float, bool, list)) else str(v) for k, v in out.items()}, False) + "\n"

    handler = Handler()
    handler.setFormatter(Json() if AS_JSON else Text())
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    logging.root.addHandler(handler)
    if level in LEVELS:
        logging.root.setLevel({"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(level, level))


class LoggingHook:
    """Waits on sys.meta_path for `import logging`: most functions never do, and it costs milliseconds."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(cls)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if hasattr(finder, "find_spec") else None
            if spec:
                break
        else:
            return None
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            install_logging(module)

        spec.loader.exec_module = exec_module
        return spec


# ---- errors ----

class Fault(Exception):
    """A failure of the runtime with a type of its own: ("Runtime.ImportModuleError", message, stack)."""

    def __init__(self, kind, message, stack=()):
        super().__init__(message)
        self.kind = kind
        self.stack = list(stack)


def format_frames(trace):
    import traceback
    frames = [(f.filename, f.lineno, f.name, f.line) for f in traceback.extract_tb(trace)]
    while frames and frames[0][0] in (__file__, "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>"):
        frames.pop(0)
    return traceback.format_list(frames)


def error_document(error, identifier):
    document = {"errorMessage": str(error), "errorType": type(error).__name__, "requestId": identifier, "stackTrace": []}
    if isinstance(error, Fault):
        document["errorType"] = error.kind
        document["stackTrace"] = error.stack
    else:
        document["stackTrace"] = format_frames(error.__traceback__)
    if RUNTIME in ("3.6", "3.7", "3.8"):
        del document["requestId"]
    return document


def log_error(document):
    if AS_JSON:
        sink.write(dumps({"timestamp": now_text(None, False), "log_level": "ERROR", **document}, False) + "\n", "ERROR", False)
        return
    lines = ["[ERROR] " + document["errorType"] + (": " + document["errorMessage"] if document["errorMessage"] else "")]
    if document["stackTrace"]:
        lines.append("Traceback (most recent call last):")
        for frame in document["stackTrace"]:
            for line in frame.splitlines():
                blanks = len(line) - len(line.lstrip(" "))
                lines.append("\u00a0" * blanks + line[blanks:])
    sink.write("\n".join(lines) + ("\n" if sink.fd is not None else ""), "ERROR") if sink.fd is not None else \
        sink.write("\r".join(lines), "ERROR")


# ---- the Runtime API ----

class Api:
    def __init__(self):
        host, _, port = RUNTIME_API.rpartition(":")
        self.address = (host, int(port))
        self.head = (f"Host: {RUNTIME_API}\r\nUser-Agent: aws-lambda-python/{sys.version.split()[0]}-lambkin\r\n").encode()
        self.poll = f"GET {BASE}/invocation/next HTTP/1.1\r\n".encode() + self.head + b"\r\n"
        self.socket = None
        self.data = b""

    def connect(self):
        self.socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        self.socket.connect(self.address)
        self.socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self.data = b""

    def send(self, data):
        if self.socket is None:
            self.connect()
        self.socket.sendall(data)

    def receive(self):
        """One answer: status, headers by lower-case name, body."""
        data = self.data
        while True:
            end = data.find(b"\r\n\r\n")
            if end >= 0:
                break
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionResetError("the Runtime API closed the connection")
            data += more
        lines = data[:end].decode("utf-8", "surrogateescape").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body, length = data[end + 4:], int(headers.get("content-length", 0))
        if len(body) < length:
            whole = bytearray(length)
            have = len(body)
            whole[:have] = body
            view = memoryview(whole)
            while have < length:
                got = self.socket.recv_into(view[have:])
                if not got:
                    raise ConnectionResetError("the Runtime API closed the connection")
                have += got
            self.data = b""
            return int(lines[0].split(" ", 2)[1]), headers, whole
        self.data = body[length:]
        return int(lines[0].split(" ", 2)[1]), headers, body[:length]

    def post(self, path, body, content_type, extra=b""):
        return (f"POST {BASE}{path} HTTP/1.1\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n").encode() \
            + extra + self.head + b"\r\n"

    def init_error(self, document):
        body = dumps(document, False).encode("utf-8", "replace")
        kind = document["errorType"].encode("ascii", "replace")
        self.send(self.post("/init/error", body, "application/json",
                            b"Lambda-Runtime-Function-Error-Type: " + kind + b"\r\n") + body)
        self.receive()

    def next(self):
        """The first event; reconnects if the connection broke while nothing was in flight."""
        self.send(self.poll)
        return self.take_event()

    def finish(self, path, body, content_type="application/json"):
        """Sends a result and asks for the next event in one write."""
        sys.stdout.flush()
        head = self.post(path, body, content_type)
        self.send(head + body + self.poll)
        status, _, _ = self.receive()
        if status != 202:
            raise SystemExit(f"the Runtime API answered {status} to {path.rpartition('/')[2]}")
        return self.take_event()

    def take_event(self):
        status, headers, body = self.receive()
        if status != 200:
            raise SystemExit(f"the Runtime API answered {status} to next")
        return headers, body


# ---- context ----

class _Record:
    def __init__(self, names, values):
        for name in names:
            setattr(self, name, values.get(name) if values else None)

    def __repr__(self):
        return f"{type(self).__name__}([" + ",".join(f"{k}={v!r}" for k, v in self.__dict__.items()) + "])"


class CognitoIdentity(_Record):
    pass


class Client(_Record):
    pass


class ClientContext(_Record):
    pass


class LambdaContext:
    function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
    memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
    log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")

    def __init__(self, headers):
        for name in ("function_name", "function_version", "memory_limit_in_mb", "log_group_name", "log_stream_name"):
            setattr(self, name, getattr(LambdaContext, name))
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        self._epoch_deadline_time_in_ms = int(headers.get("lambda-runtime-deadline-ms") or 0)
        self.client_context = None
        text = headers.get("lambda-runtime-client-context")
        if text:
            try:
                parsed = loads(text)
            except Exception as error:
                raise Fault("Runtime.LambdaContextUnmarshalError", f"Unable to parse Client Context JSON: {error}") from None
            self.client_context = ClientContext(("custom", "env"), parsed)
            self.client_context.client = Client(("installation_id", "app_title", "app_version_name", "app_version_code",
                                                 "app_package_name"), parsed["client"]) if parsed.get("client") else None
        identity = None
        text = headers.get("lambda-runtime-cognito-identity")
        if text:
            try:
                parsed = loads(text)
                identity = {"cognito_identity_id": parsed.get("cognitoIdentityId"),
                            "cognito_identity_pool_id": parsed.get("cognitoIdentityPoolId")}
            except Exception as error:
                raise Fault("Runtime.LambdaContextUnmarshalError", f"Unable to parse Cognito Identity JSON: {error}") from None
        self.identity = CognitoIdentity(("cognito_identity_id", "cognito_identity_pool_id"), identity)

    def get_remaining_time_in_millis(self):
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))
        sys.stdout.flush()

    def __repr__(self):
        return "LambdaContext([" + ",".join(f"{k}={v}" for k, v in self.__dict__.items() if not k.startswith("_")) + "])"


# ---- the handler ----

def load_handler(handler):
    try:
        name, function = handler.rsplit(".", 1)
    except ValueError as error:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{handler}': {error}") from None
    path = name.replace("/", ".")
    if path.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {name} as a handler module")
    try:
        __import__(path)
        module = sys.modules[path]
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{name}': {error}") from None
    except SyntaxError as error:
        where = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{name}': {error}", where) from None
    if not hasattr(module, function):
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{name}'")
    return getattr(module, function)


def call(handler, headers, body):
    """The path, body and content type to answer with."""
    identifier = headers["lambda-runtime-aws-request-id"]
    try:
        context = LambdaContext(headers)
        event = body
        if headers.get("content-type", "application/json").partition(";")[0].strip() == "application/json":
            try:
                event = loads(bytes(body).decode("utf-8"))
            except Exception as error:
                raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None
        result = handler(event, context)
        if isinstance(result, bytes):
            return f"/invocation/{identifier}/response", result, "application/unknown"
        try:
            text = dumps(result, ESCAPE)
        except Exception as error:
            raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None
        return f"/invocation/{identifier}/response", text.encode("utf-8", "surrogatepass"), "application/json"
    except Exception as error:
        document = error_document(error, identifier)
        log_error(document)
        return f"/invocation/{identifier}/error", dumps(document, ESCAPE).encode("utf-8", "replace"), "application/json"


def main():
    global request_id
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    runtime_dir = os.path.dirname(os.path.abspath(__file__))
    front = [TASK_ROOT, f"/opt/python/lib/python{version}/site-packages", "/opt/python"]
    rest = [p for p in sys.path if p not in front and p != runtime_dir]
    sys.path[:] = front + [runtime_dir] + rest
    sys.argv = [os.path.join(runtime_dir, "bootstrap.py")]
    import builtins
    builtins.exit = builtins.quit = sys.exit  # from `site`, which is not loaded
    sys.meta_path.insert(0, LoggingHook)
    api = Api()
    try:
        handler = load_handler(os.environ.get("_HANDLER", ""))
    except Exception as error:
        import logging
        logging.warning(WARNING)
        document = error_document(error, "")
        log_error(document)
        sys.stdout.flush()
        api.init_error(document)
        sys.exit(1)
    sys.stdout.flush()
    headers, body = api.next()
    while True:
        request_id = headers["lambda-runtime-aws-request-id"]
        trace = headers.get("lambda-runtime-trace-id")
        if trace:
            os.environ["_X_AMZN_TRACE_ID"] = trace
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        path, answer, content_type = call(handler, headers, body)
        headers, body = api.finish(path, answer, content_type)


main()
