"""Reads, lists and writes of the control plane, and what 10,000 functions cost."""
import base64
import contextlib
import json
import pathlib
import random
import re
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
import urllib.parse

from common import CLIENTS, EVENT, Lambkin, PYTHON_ECHO, ROLE, comm, floor, median, percentile, pss_kb, report, row, zip_of


def wrk(port, path, connections, seconds, script=""):
    """One run of wrk with one thread; dies if an answer was not 2xx."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *(["-s", file.name] if script else []),
                   f"http://127.0.0.1:{port}{path}"]
        text = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"wrk: {text}")
    value, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)\b", text).groups()
    return {"rps": float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
            "p50_us": float(value) * {"us": 1, "ms": 1000, "s": 1000000}[unit]}


def reads(build, args):
    """What comes from memory, beside the bare relay under the same load."""
    result = report["reads"] = {}
    post = f"wrk.method = 'POST'\nwrk.body = '{EVENT}'\n"
    with Lambkin(build) as one, floor(build, "c", 8) as relay:
        runtime, handler, files = CLIENTS["python"]
        one.create("read", runtime, handler, files(build))
        for operation, path in (("GetFunction", "/2015-03-31/functions/read"),
                                ("GetFunctionConfiguration", "/2015-03-31/functions/read/configuration")):
            ours, theirs = [], []
            wrk(one.port, path, 32, 1)
            wrk(relay, "/x", 32, 1, post)
            for _ in range(args.rounds):
                ours.append(wrk(one.port, path, 32, args.seconds))
                theirs.append(wrk(relay, "/x", 32, args.seconds, post))
            rate, ratio = median(ours, "rps"), median(ours, "rps") / median(theirs, "rps")
            result[operation] = {"lambkin": ours, "floor": theirs, "rps_ratio": ratio}
            row("reads", f"{operation}, 32 connections: {rate:.0f}/s (floor {median(theirs, 'rps'):.0f}/s)",
                f"{ratio:.2f} x floor", ">= 15000/s", rate >= 15000)


def create_body(name, code):
    return json.dumps({"FunctionName": name, "Runtime": "python3.11", "Handler": "app.handler", "Role": ROLE,
                       "Code": {"ZipFile": base64.b64encode(code).decode()}})


def zip_of_size(size, salt=""):
    """A zip of so many bytes whose content does not shrink; each salt makes another one."""
    noise = base64.b85encode(random.Random(salt).randbytes(size)).decode()
    low, high = 0, len(noise)
    while low < high:
        middle = (low + high + 1) // 2
        code = zip_of({"app.py": (f"{PYTHON_ECHO}# {noise[:middle]}\n", 0o644)})
        low, high = (middle, high) if len(code) <= size else (low, middle - 1)
    return zip_of({"app.py": (f"{PYTHON_ECHO}# {noise[:low]}\n", 0o644)})


def create_many(build, port, bodies, connections):
    """By the load generator; each body is one CreateFunction."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("".join(body + "\n" for body in bodies))
        file.flush()
        done = subprocess.run([build / "bench" / "load", "--port", str(port), "--path", "/2015-03-31/functions",
                               "--header", "Content-Type: application/json", "--connections", str(connections),
                               "--bodies", file.name], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise SystemExit(f"load generator: {done.stderr or done.stdout}")
    return json.loads(done.stdout)


def pages(one, query=""):
    """All of ListFunctions: milliseconds a page, and the names in the order in which they came."""
    times, names, marker = [], [], ""
    while True:
        begun = time.monotonic()
        status, _, data = one.api("GET", f"/2015-03-31/functions?{query}{marker}")
        times.append((time.monotonic() - begun) * 1000)
        page = json.loads(data)
        if status != 200:
            raise SystemExit(f"ListFunctions: {status} {data.decode()}")
        names += [(f["FunctionName"], f["Version"]) for f in page["Functions"]]
        if not page.get("NextMarker"):
            return times, names
        marker = f"&Marker={urllib.parse.quote(page['NextMarker'], safe='')}"


def list_functions(build, args):
    result = report["list"] = {}
    code = zip_of_size(1024)
    wanted = [f"list-{n:04}" for n in range(1000)]
    with Lambkin(build) as one:
        create_many(build, one.port, [create_body(name, code) for name in wanted], 16)
        times = []
        for _ in range(args.rounds):
            took, found = pages(one)
            times += took
            good = sorted(found) == [(name, "$LATEST") for name in wanted]
            if not good:
                break
        count = len(took)
    result.update({"ms": times, "pages": count, "complete": good})
    row("list", f"1000 functions in {count} pages, each function once", "yes" if good else "NO", "yes", good)
    row("list", "a page: p50 / longest", f"{percentile(times, 0.5):.2f} / {max(times):.2f} ms", "< 20 ms", max(times) < 20)


def writes(build, args):
    """Durable ones, beside a bare loop of commits on the same disk."""
    result = report["writes"] = {}
    same = zip_of_size(1024)
    kinds = {"one zip": lambda n: same, "each its own zip": lambda n: zip_of_size(1024, str(n))}
    for kind, code in kinds.items():
        ours, theirs = [], []
        with Lambkin(build) as one:
            create_many(build, one.port, [create_body("first", same)], 1)
            for n in range(args.rounds):
                bodies = [create_body(f"write-{n}-{k}", code(n * args.creates + k)) for k in range(args.creates)]
                ours.append(create_many(build, one.port, bodies, 16))
                with tempfile.TemporaryDirectory(prefix="lambkin-commits-", dir="/var/tmp") as folder:
                    done = subprocess.run([build / "bench" / "commits", folder, "1024", "2"], capture_output=True, text=True,
                                          timeout=60, check=True)
                theirs.append(json.loads(done.stdout))
        rate, ratio = median(ours, "rps"), median(ours, "rps") / median(theirs, "rps")
        result[kind] = {"lambkin": ours, "floor": theirs, "rps_ratio": ratio}
        row("writes", f"CreateFunction, 1 kB, {kind}, 16 clients: {rate:.0f}/s (floor {median(theirs, 'rps'):.0f}/s)",
            f"{ratio:.2f} x commits", ">= 300/s", rate >= 300)


def seed(database, template, count):
    """`count` functions more, each a copy of the rows of one that was made by the API."""
    with contextlib.closing(sqlite3.connect(database)) as db, db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(functions)")]
        rows = [dict(zip(columns, row)) for row in db.execute("SELECT * FROM functions WHERE name = ?", (template,))]
        insert = f"INSERT INTO functions ({','.join(columns)}) VALUES ({','.join('?' * len(columns))})"
        for n in range(count):
            name = f"scale-{n:05}"
            db.executemany(insert, [[name if c == "name" else row[c].replace(template, name) if c == "config" else row[c]
                                     for c in columns] for row in rows])
        return len(rows)


def scale(build, args):
    """Many functions with many versions: how long a start takes with them, and what they weigh."""
    result = report["scale"] = {}
    data = pathlib.Path(tempfile.mkdtemp(prefix="lambkin-scale-", dir="/var/tmp"))
    data.chmod(0o755)

    def started(look=lambda one: None):
        one = Lambkin(build, "--spares", "0", "--update-ms", "0", data=data / "data")
        try:
            ms = one.wait_accepting() * 1000
            pids = [pid for pid in one.pids() if comm(pid).startswith("lambkin-daemon"[:15])]
            return ms, pss_kb(pids), look(one)
        finally:
            one.stop()

    def make_template(one):
        one.create("template-00", "python3.11", "app.handler", {"app.py": (PYTHON_ECHO, 0o644)})
        for n in range(5):
            one.api("PUT", "/2015-03-31/functions/template-00/configuration", json.dumps({"Description": f"state {n}"}))
            one.settled("template-00")
            status, _, data = one.api("POST", "/2015-03-31/functions/template-00/versions", "{}")
            if status != 201:
                raise SystemExit(f"PublishVersion: {status} {data.decode()}")

    def read_all(one):
        _, found = pages(one, "FunctionVersion=ALL&MaxItems=50")
        return len(set(found)), pss_kb([pid for pid in one.pids() if comm(pid).startswith("lambkin-daemon"[:15])])

    try:
        started(make_template)
        before_ms, before_kb, _ = map(list, zip(*[started() for _ in range(args.rounds)]))
        versions = seed(data / "data" / "lambkin.db", "template-00", args.functions)
        after_ms, after_kb, _ = map(list, zip(*[started() for _ in range(args.rounds)]))
        _, _, (found, read_kb) = started(read_all)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    wanted = (args.functions + 1) * versions
    result.update({"before_ms": before_ms, "after_ms": after_ms, "before_kb": before_kb, "after_kb": after_kb, "found": found,
                   "read_kb": read_kb})
    load_ms = statistics.median(after_ms) - statistics.median(before_ms)
    more_mb = (statistics.median(after_kb) - statistics.median(before_kb)) / 1024
    what = f"{args.functions} functions, {versions} rows each"
    row("scale", f"{what}: all found", f"{found} of {wanted}", f"{wanted}", found == wanted)
    row("scale", f"{what}: longer start (of {statistics.median(before_ms):.0f} ms)", f"{load_ms:.0f} ms", "< 2000 ms",
        load_ms < 2000)
    row("scale", f"{what}: more memory", f"{more_mb:.1f} MB", "<= 150 MB", more_mb <= 150)
    read_mb = (read_kb - statistics.median(before_kb)) / 1024
    row("scale", f"{what}: more memory once all of them were listed", f"{read_mb:.1f} MB", "<= 150 MB", read_mb <= 150)
