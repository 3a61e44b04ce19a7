"""What the sections of bench/run share: a started lambkin, rows of the table, what the kernel says of memory."""
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
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests"))
from support.lambkin import comm, descendants  # noqa: E402
OUT = TOP / "bench" / "out"
ROLE = "arn:aws:iam::000000000000:role/bench"
EVENT = '{"hello":"world","n":1}'
PYTHON_ECHO = "def handler(event, context):\n    return event\n"
NODE_ECHO = "exports.handler = async (event) => event;\n"
rows = []   # (section, what, figure, promise, ok)
report = {}


def row(section, what, figure, promise="", ok=True):
    rows.append((section, what, figure, promise, ok))
    mark = "" if ok else "   <-- BROKEN"
    print(f"{section:7} {what:58} {figure:>26}  {promise}{mark}", flush=True)


def zip_of(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, (content, mode) in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100000 | mode) << 16
            z.writestr(info, content)
    return out.getvalue()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Lambkin:
    """A started lambkin with a data folder of its own; ends by its process id."""

    def __init__(self, build, *flags, data=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="lambkin-bench-", dir="/var/tmp"))
        self.dir.chmod(0o755)
        self.log = open(self.dir / "log", "w+")
        self.port = free_port()
        self.begun = time.monotonic()
        self.process = subprocess.Popen(
            [build / "lambkin", "serve", "--port", str(self.port), "--data-dir", data or self.dir / "data", *flags],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, env=clean_env())
        self.connection = None

    def wait_accepting(self):
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as s:
                    s.sendall(b"GET /2015-03-31/functions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    if s.recv(4096).startswith(b"HTTP/1.1 200"):
                        return time.monotonic() - self.begun
            except ConnectionRefusedError:
                pass
            if self.process.poll() is not None:
                self.log.seek(0)
                raise SystemExit("lambkin did not start:\n" + self.log.read())
            time.sleep(0.0005)

    def api(self, method, path, body=None, connection=None):
        connection = connection or self.connection
        if connection is None:
            connection = self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
        return answer.status, dict(answer.getheaders()), data

    def create(self, name, runtime, handler, files, memory=512, timeout=60, wait=True):
        body = {"FunctionName": name, "Runtime": runtime, "Handler": handler, "Role": ROLE, "MemorySize": memory,
                "Timeout": timeout, "Code": {"ZipFile": base64.b64encode(zip_of(files)).decode()}}
        status, _, data = self.api("POST", "/2015-03-31/functions", json.dumps(body))
        if status != 201:
            raise SystemExit(f"CreateFunction {name}: {status} {data.decode()}")
        if wait:
            self.settled(name)

    def settled(self, name):
        while True:
            _, _, data = self.api("GET", f"/2015-03-31/functions/{name}/configuration")
            config = json.loads(data)
            if config.get("State") == "Active" and config.get("LastUpdateStatus") == "Successful":
                return
            time.sleep(0.001)

    def invoke(self, name, payload=EVENT, tail=False):
        path = f"/2015-03-31/functions/{name}/invocations"
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        self.connection.request("POST", path, payload, {"X-Amz-Log-Type": "Tail"} if tail else {})
        answer = self.connection.getresponse()
        data = answer.read()
        headers = dict(answer.getheaders())
        if answer.status != 200 or "X-Amz-Function-Error" in headers:
            raise SystemExit(f"Invoke {name}: {answer.status} {data.decode()}")
        return headers, data

    def health(self):
        return json.loads(self.api("GET", "/_lambkin/health")[2])

    def pids(self):
        """The program itself and all that descends from it."""
        return descendants(self.process.pid)

    def stop(self):
        if self.connection:
            self.connection.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        self.wait_accepting()
        return self

    def __exit__(self, *_):
        self.stop()


def clean_env():
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "LAMBKIN_", "NODE_", "PYTHON"))}
    return {**keep, "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}


def load(build, port, path, connections, requests, headers=()):
    """One run of the load generator; dies with it if a request failed."""
    command = [build / "bench" / "load", "--port", str(port), "--path", path, "--connections", str(connections),
               "--requests", str(requests), "--body", EVENT]
    for header in headers:
        command += ["--header", header]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise SystemExit(f"load generator: {done.stderr or done.stdout}")
    return json.loads(done.stdout)


CLIENTS = {
    "c": ("provided.al2023", "lean", lambda build: {"bootstrap": ((build / "bench/echo_c").read_bytes(), 0o755)}),
    "python": ("python3.11", "app.handler", lambda build: {"app.py": (PYTHON_ECHO, 0o644)}),
    "node": ("nodejs20.x", "app.handler", lambda build: {"app.js": (NODE_ECHO, 0o644)}),
}
# Also one that waits for each answer; it differs in warm calls only.
WARM = {**CLIENTS, "c, plain": ("provided.al2023", "plain", CLIENTS["c"][2])}


@contextlib.contextmanager
def floor(build, client, processes):
    """The bare relay with `processes` runtime clients, without sandbox."""
    with tempfile.TemporaryDirectory(prefix="lambkin-floor-") as task:
        runtime, handler, files = WARM[client]
        for name, (content, mode) in files(build).items():
            path = pathlib.Path(task) / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            path.chmod(mode)
        argv = {"c": [f"{task}/bootstrap"], "c, plain": [f"{task}/bootstrap"],
                "python": ["/usr/bin/python3", "-S", "-X", "utf8", str(TOP / "runtimes/python/bootstrap.py")],
                "node": ["/usr/bin/node", str(TOP / "runtimes/node/bootstrap.js")]}[client]
        env = {**clean_env(), "_HANDLER": handler, "LAMBDA_TASK_ROOT": task, "AWS_LAMBDA_FUNCTION_NAME": "echo",
               "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
               "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/echo", "AWS_LAMBDA_LOG_STREAM_NAME": "s",
               "LAMBDA_RUNTIME_DIR": str(TOP / "runtimes" / client), "AWS_REGION": "us-east-1"}
        port = free_port()
        process = subprocess.Popen([build / "bench" / "floor", "--port", str(port), "--clients", str(processes), "--",
                                    *argv], env=env, cwd=task, stdout=subprocess.DEVNULL)
        try:
            wait_port(port, process)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def wait_port(port, process):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.01)
    raise SystemExit(f"{process.args[0]} does not listen")


def peers_folder():
    folder = TOP / "bench" / "peers"
    if not (folder / "node_modules").exists():
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)
    return folder


def median(samples, key):
    return statistics.median(s[key] for s in samples)


def pss_kb(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))
    return total


def percentile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def meminfo():
    text = pathlib.Path("/proc/meminfo").read_text()
    return {k: int(v) for k, v in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}
