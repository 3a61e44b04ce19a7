"""The platform's side of the Runtime API for one client process: reads its bytes, answers when a test says so."""
import collections
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
INTERPRETERS = {"python": os.environ.get("LAMBKIN_TEST_PYTHON", "/usr/bin/python3"),
                "node": os.environ.get("LAMBKIN_TEST_NODE", "/usr/bin/node"),
                "ruby": os.environ.get("LAMBKIN_TEST_RUBY", "/usr/bin/ruby"), "dotnet": "/usr/share/dotnet/dotnet",
                "java": os.environ.get("LAMBKIN_TEST_JAVA", "/usr/bin/java")}
RUNTIMES = {"python": "python3.11", "node": "nodejs20.x", "ruby": "ruby3.3", "dotnet": "dotnet8", "java": "java17"}
NAMES = {"node": "nodejs"}  # in the user agent, where it is not the folder's
ARN = "arn:aws:lambda:us-east-1:000000000000:function:fn"
BOUND = 20  # seconds until a test that waits has failed
OK = b'{"status":"OK"}\n'

Request = collections.namedtuple("Request", "method path headers body trailers raw reads")
Frame = collections.namedtuple("Frame", "kind time text")


def conf(language):
    """runtime.conf, as the daemon reads it."""
    lines = (TOP / "runtimes" / language / "runtime.conf").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line.strip() and not line.startswith("#"))
    return {key.strip(): value.strip() for key, value in pairs}


class Client:
    """A runtime client, started as the daemon starts it, with a function of the test's own. `park`: a socket on which it waits for
    its variables (_LAMBKIN_PARKED_FD)."""

    def __init__(self, language, files, handler, env=None, framed=False, wrap=(), runtime=None, park=None):
        self.language = language
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="lambkin-runtime-"))
        self.task = self.dir / "task"
        self.task.mkdir()
        for name, text in files.items():
            path = self.task / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        self.listener = socket.socket()
        self.listener.settimeout(BOUND)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(8)
        self.api = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.connection, self.data = None, b""
        self.count = 0
        self._start(handler, env or {}, framed, wrap, runtime or RUNTIMES[language], park)

    def _start(self, handler, env, framed, wrap, runtime, park):
        settings = conf(self.language)
        version = "".join(c for c in runtime.rpartition(".")[0 if self.language == "node" else 2] if c.isdigit())
        words = {"{interpreter}": INTERPRETERS[self.language], "{heap_mb}": "192",
                 "{interpreter_folder}": str(pathlib.Path(INTERPRETERS[self.language]).parent), "{version}": version, "{handler}": handler,
                 "/var/runtime": str(TOP / "runtimes" / self.language), "/var/task": str(self.task)}
        variables = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "en_US.UTF-8", "TZ": ":UTC"}
        for pair in settings["env"].split():
            if "+:" not in pair:
                name, value = pair.split("=", 1)
                variables[name] = self._expand(value, words)
        variables.update({
            "_HANDLER": handler, "AWS_LAMBDA_RUNTIME_API": self.api, "LAMBDA_TASK_ROOT": str(self.task),
            "LAMBDA_RUNTIME_DIR": "/var/runtime", "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}", "AWS_REGION": "us-east-1",
            "AWS_LAMBDA_FUNCTION_NAME": "fn", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/fn", "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]" + "0" * 32})
        variables.update(env)
        self.frames_fd, pass_fds = None, ()
        if framed:
            self.frames_fd, write_fd = os.pipe()
            variables["_LAMBDA_TELEMETRY_LOG_FD"] = str(write_fd)
            pass_fds = (write_fd,)
        if park:
            variables["_LAMBKIN_PARKED_FD"] = str(park.fileno())
        argv = [self._expand(word, words) for word in settings["args"].split() if "{archive}" not in word]
        self.output = open(self.dir / "stdout", "w+b")
        self.errors = open(self.dir / "stderr", "w+b")
        self.begun = time.perf_counter()
        self.process = subprocess.Popen([*wrap, *argv], env=variables, cwd=self.task, stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=self.errors, pass_fds=(*pass_fds, park.fileno()) if park else pass_fds)
        for fd in pass_fds:
            os.close(fd)

    @staticmethod
    def _expand(text, words):
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    def close(self):
        self.drop()
        self.listener.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.output.close()
        self.errors.close()
        if self.frames_fd is not None:
            os.close(self.frames_fd)
        shutil.rmtree(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- bytes ----

    def drop(self):
        """Ends the connection, as a platform does that restarts."""
        if self.connection:
            self.connection.close()
        self.connection, self.data = None, b""

    def _more(self):
        if self.connection is None:
            self.connection, _ = self.listener.accept()
            self.connection.settimeout(BOUND)
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        more = self.connection.recv(1 << 20)
        if not more:
            raise EOFError("the client closed the connection")
        self.data += more
        self.reads += 1

    def segments(self):
        """How many segments with data have come: on the loopback interface one for each small write of the client."""
        info = self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
        return int.from_bytes(info[152:156], sys.byteorder)  # tcpi_data_segs_in

    def _line(self):
        while b"\r\n" not in self.data:
            self._more()
        line, self.data = self.data.split(b"\r\n", 1)
        return line

    def _take(self, n):
        while len(self.data) < n:
            self._more()
        taken, self.data = self.data[:n], self.data[n:]
        return taken

    def _headers(self):
        headers = {}
        while True:
            line = self._line()
            if not line:
                return headers
            name, _, value = line.decode("latin1").partition(":")
            if name.lower() in headers:
                raise AssertionError(f"two {name} headers")
            headers[name.lower()] = value.strip()

    def request(self):
        """The next request; `reads` is how many of our reads it took."""
        self.reads = 0
        method, path, version = self._line().decode().split(" ")
        assert version == "HTTP/1.1", version
        headers = self._headers()
        body, raw, trailers = b"", b"", {}
        if headers.get("transfer-encoding") == "chunked":
            while True:
                size = int(self._line(), 16)
                raw += b"%x|" % size
                if size == 0:
                    trailers = self._headers()
                    break
                body += self._take(size)
                assert self._take(2) == b"\r\n"
        else:
            body = self._take(int(headers.get("content-length", 0)))
        assert headers["host"] == self.api, headers
        assert headers["user-agent"].startswith(f"aws-lambda-{NAMES.get(self.language, self.language)}/"), headers
        return Request(method, path, headers, body, trailers, raw, self.reads)

    def answer(self, status, body=OK, headers=()):
        reason = {200: "OK", 202: "Accepted"}.get(status, "Error")
        head = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}", *headers]
        self.connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    # ---- steps of a conversation ----

    def poll(self):
        request = self.request()
        assert (request.method, request.path) == ("GET", "/2018-06-01/runtime/invocation/next"), request
        return request

    def give(self, event=b"{}", **headers):
        """Hands an event over; a header given as None is left out. Returns its request id."""
        self.count += 1
        self.id = f"00000000-0000-4000-8000-{self.count:012d}"
        named = {"Lambda-Runtime-Aws-Request-Id": self.id, "Lambda-Runtime-Deadline-Ms": "4102444800000",
                 "Lambda-Runtime-Invoked-Function-Arn": ARN,
                 "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0", "Content-Type": "application/json"}
        named.update({key.replace("_", "-"): value for key, value in headers.items()})
        event = event if isinstance(event, bytes) else json.dumps(event).encode()
        self.answer(200, event, [f"{k}: {v}" for k, v in named.items() if v is not None])
        return self.id

    def result(self):
        """What the client posts for the event in flight."""
        request = self.request()
        base = f"/2018-06-01/runtime/invocation/{self.id}/"
        assert request.method == "POST" and request.path.startswith(base), request
        return request.path[len(base):], request

    def invoke(self, event=b"{}", **headers):
        """A whole invocation: (response or error, its request). The poll for the next event has been read."""
        if self.count == 0:
            self.poll()
        self.give(event, **headers)
        what, request = self.result()
        self.answer(202)
        self.poll()
        return what, request

    def call(self, event=b"{}", **headers):
        """The response's JSON."""
        what, request = self.invoke(event, **headers)
        assert what == "response", request.body
        return json.loads(request.body)

    def fail(self, event=b"{}", **headers):
        """The error document."""
        what, request = self.invoke(event, **headers)
        assert what == "error", request.body
        assert request.headers["content-type"] == "application/json"
        return json.loads(request.body)

    def init_error(self):
        """(error type header, document, exit code)"""
        request = self.request()
        assert (request.method, request.path) == ("POST", "/2018-06-01/runtime/init/error"), request
        self.answer(202)
        return request.headers["lambda-runtime-function-error-type"], json.loads(request.body), self.wait()

    def wait(self):
        return self.process.wait(BOUND)

    # ---- what it printed ----

    def stdout(self):
        return (self.dir / "stdout").read_bytes().decode()

    def stderr(self):
        return (self.dir / "stderr").read_bytes().decode()

    def frames(self, wanted=1):
        """At least `wanted` frames of the log pipe."""
        data, found = b"", []
        while len(found) < wanted or data:
            more = os.read(self.frames_fd, 1 << 16)
            if not more:
                break
            data += more
            while len(data) >= 16 and len(data) >= 16 + int.from_bytes(data[4:8], "big"):
                length = int.from_bytes(data[4:8], "big")
                found.append(Frame(data[:4].hex(), int.from_bytes(data[8:16], "big"), data[16:16 + length].decode()))
                data = data[16 + length:]
        return found
