"""A lambkin of the test's own, for tests in Python: started, asked, ended by its process id."""
import base64
import contextlib
import http.client
import io
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import zipfile

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("LAMBKIN_BUILD", TOP / "build")).resolve()
ROLE = "arn:aws:iam::000000000000:role/any"


def until(probe, what, seconds=15):
    """Polls until `probe` gives something true; the bound is for failures."""
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.01)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def clean_env(**extra):
    keep = {k: v for k, v in os.environ.items()
            if not k.startswith(("AWS_", "LAMBKIN_", "NODE_", "PYTHON")) or k == "LAMBKIN_LIBEXEC"}
    return {**keep, "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **extra}


def zip_of(files):
    """{name: bytes or text}, all executable, and the same bytes for the same files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.external_attr = 0o100755 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            z.writestr(info, data)
    return out.getvalue()


def read(path):
    with contextlib.suppress(OSError):
        return pathlib.Path(path).read_text(errors="replace")
    return ""


def descendants(root):
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            text = read(f"/proc/{name}/stat")
            if text:
                children.setdefault(int(text[text.rindex(")") + 2:].split()[1]), []).append(int(name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, [])
    return found


def comm(pid):
    return read(f"/proc/{pid}/comm").strip()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, {k.lower(): v for k, v in headers}, body
        self.text = body.decode(errors="replace")
        self.error = self.headers.get("x-amz-function-error")

    @property
    def json(self):
        return json.loads(self.text)


class Lambkin:
    """`wrap` is a command that runs it (strace, setpriv, ...); `dir` the parent of an existing data folder."""

    def __init__(self, *flags, wrap=(), uid=None, dir=None, env=None, start=True):
        self.own = dir is None
        self.dir = pathlib.Path(dir or tempfile.mkdtemp(prefix="lambkin-test-", dir="/var/tmp"))
        self.dir.chmod(0o755)
        self.data = self.dir / "data"
        self.flags, self.wrap, self.uid, self.env = flags, list(wrap), uid, env or {}
        if uid is not None and self.own:
            self.data.mkdir()
            os.chown(self.data, uid, uid)
        self.log = open(self.dir / "log", "a+", encoding="utf-8", errors="replace")
        self.port = free_port()
        self.process = None
        if start:
            self.start()

    def start(self, wait=True):
        command = [str(BUILD / "lambkin"), "serve", "--port", str(self.port), "--data-dir", str(self.data), *self.flags]
        if self.uid is not None:
            command = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", "--inh-caps=-all", *command]
        self.process = subprocess.Popen([*self.wrap, *command], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
                                        env=clean_env(HOME=str(self.dir), **self.env), cwd="/")
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=15):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError("lambkin did not start:\n" + self.output())
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.api("GET", "/2015-03-31/functions").status == 200
            return False
        until(ready, "the first answer", seconds)

    def output(self):
        return read(self.dir / "log")[-6000:]

    def api(self, method, path, body=None, headers=None, timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def create(self, name, code, runtime="provided.al2023", handler="x.y", memory=256, timeout=30, env=None, wait=True):
        code = code if isinstance(code, bytes) else zip_of(code)
        body = {"FunctionName": name, "Runtime": runtime, "Handler": handler, "Role": ROLE, "MemorySize": memory, "Timeout": timeout,
                "Code": {"ZipFile": base64.b64encode(code).decode()}, "Environment": {"Variables": env or {}}}
        answer = self.api("POST", "/2015-03-31/functions", body)
        assert answer.status == 201, answer.text
        if wait:
            self.settled(name)
        return answer.json

    def settled(self, name):
        def probe():
            config = self.api("GET", f"/2015-03-31/functions/{name}/configuration").json
            return config if (config.get("State"), config.get("LastUpdateStatus")) == ("Active", "Successful") else None
        return until(probe, f"{name} to settle")

    def invoke(self, name, event=None, timeout=60):
        return self.api("POST", f"/2015-03-31/functions/{name}/invocations", event, timeout=timeout)

    def call(self, name, event=None):
        answer = self.invoke(name, event)
        assert answer.status == 200 and not answer.error, answer.text
        return answer.json

    def pids(self):
        return descendants(self.process.pid) if self.process and self.process.poll() is None else []

    def named(self, name):
        return [pid for pid in self.pids() if comm(pid) == name[:15]]

    def end(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait(20)

    def stop(self):
        code = None
        if self.process:
            self.end()
            code = self.process.returncode
        self.log.close()
        if self.own:
            shutil.rmtree(self.dir, ignore_errors=True)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def code_of(lambkin, name):
    """The zip as it is downloaded."""
    url = lambkin.api("GET", f"/2015-03-31/functions/{name}").json["Code"]["Location"]
    path = re.sub(r"^http://[^/]+", "", url)
    answer = lambkin.api("GET", path)
    assert answer.status == 200, f"{url}: {answer.status} {answer.text[:200]}"
    return answer.body
