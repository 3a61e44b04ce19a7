"""Invocations that find no environment: one after the other, in bursts, and as many at once as memory holds."""
import base64
import concurrent.futures
import http.client
import json
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

import cold_functions
from common import CLIENTS, EVENT, Lambkin, clean_env, comm, meminfo, peers_folder, percentile, pss_kb, report, row


def bare(argv, n):
    times = []
    for _ in range(n):
        begun = time.monotonic()
        subprocess.run(argv, check=True, env=clean_env(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        times.append((time.monotonic() - begun) * 1000)
    return times


def languages(build, folder):
    """name: what is deployed, and beside which bare program, at which share of its time."""
    for client, (runtime, handler, files) in CLIENTS.items():
        bare_argv = {"python": ["/usr/bin/python3", "-c", "pass"], "node": ["/usr/bin/node", "-e", "0"]}.get(client)
        yield client, {"runtime": runtime, "handler": handler, "files": files(build), "bare": bare_argv, "share": 0.5}
    for client, (make, share) in cold_functions.COMPILED.items():
        (folder / client).mkdir()
        try:
            yield client, {**make(build, folder / client), "share": share}
        except cold_functions.Missing as missing:
            row("cold", f"{client}: {missing}", "not measured")


def cold(build, args):
    """Client to answer with a new environment each time: a changed variable replaces the environments. At five a second
    the parked runtimes keep up; one after the other shows what a start costs that finds none."""
    result = report["cold"] = {}
    with Lambkin(build, "--log-level", "debug") as one, tempfile.TemporaryDirectory() as folder:
        for client, what in languages(build, pathlib.Path(folder)):
            one.create(f"cold-{client}", what["runtime"], what["handler"], what["files"])
            for pace, pause in (("5/s", 0.2), ("no pause", 0)):
                cold_row(one, client, what, pace, pause, args.colds, result)
        one.log.seek(0)
        breakdown(one.log.read(), result)
    fun_cold(args.colds // 4, result)


def cold_row(one, client, what, pace, pause, count, result):
    name = f"cold-{client}"
    times, inits, bares = [], [], []
    for n in range(count):
        body = json.dumps({"Environment": {"Variables": {"ROUND": f"{pace} {n}"}}})
        begun = time.monotonic()
        one.api("PUT", f"/2015-03-31/functions/{name}/configuration", body)
        one.settled(name)
        if what["bare"] and n % 4 == 0:
            bares += bare(what["bare"], 1)
        time.sleep(max(0, begun + pause - time.monotonic()))
        begun = time.monotonic()
        headers, _ = one.invoke(name, what.get("event", EVENT), tail=True)
        times.append((time.monotonic() - begun) * 1000)
        tail = base64.b64decode(headers["X-Amz-Log-Result"]).decode()
        found = re.search(r"Init Duration: ([\d.]+) ms", tail)
        if not found:
            raise SystemExit(f"not a cold start: {tail}")
        inits.append(float(found.group(1)))
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    result[f"{client} {pace}"] = {"ms": times, "init_ms": inits, "bare_ms": bares}
    text = f"{client}, {pace}: p50 / p99 of {count}, init p50 {percentile(inits, 0.5):.1f} ms"
    figure = f"{p50:.1f} / {p99:.1f} ms"
    if not what["bare"]:
        row("cold", text, figure, "<= 12 / 25 ms", p50 <= 12 and p99 <= 25)
        return
    own = percentile(bares, 0.5)
    limit = own * (what["share"] if pause else 1) + (0 if pause else 20)
    row("cold", f"{text}, bare {own:.1f} ms", figure, f"p50 <= {limit:.1f} ms ({what['share']} x bare)" if pause else f"p50 <= {limit:.1f} ms (bare + 20)",
        p50 <= limit)


def fun_cold(count, result):
    """The peer's first answer of a new function, for comparison."""
    folder = peers_folder()
    done = subprocess.run(["node", "fun.js", "cold", str(count)], cwd=folder, env=clean_env(), capture_output=True, text=True, timeout=300, check=True)
    times = result["@vercel/fun"] = json.loads(done.stdout.strip().splitlines()[-1])
    row("cold", f"@vercel/fun, node: p50 / p99 of {count}", f"{percentile(times, 0.5):.1f} / {percentile(times, 0.99):.1f} ms")


def breakdown(text, result):
    """The daemon's debug log has a line `env.cold ... step=NNNus` for each cold start."""
    steps = {}
    for line in text.splitlines():
        if " env.cold " in line:
            for step, us in re.findall(r"(\w+)=(\d+)us", line):
                steps.setdefault(step, []).append(int(us))
    result["steps_us"] = {step: statistics.median(values) for step, values in steps.items()}
    for step, values in steps.items():
        row("cold", f"  step {step}, median of {len(values)}", f"{statistics.median(values):.0f} us")


BURST = """import time
def handler(event, context):
    begun = time.time()
    time.sleep(max(0, event["until"] - begun))
    return begun
"""


def burst(build, args):
    """From nothing to N Python environments at once: each call says when it began, and holds its environment until all
    have had time to begin."""
    result = report["burst"] = {}
    for n, seconds in ((200, 1), (1000, 5)):
        with Lambkin(build) as one:
            one.create("burst", "python3.11", "app.handler", {"app.py": (BURST, 0o644)}, memory=128, timeout=120)
            one.invoke("burst", json.dumps({"until": 0}))   # what is parked by default is there then
            one.api("POST", "/_lambkin/cold/burst")
            time.sleep(2)   # not a test: a quiet daemon, as before any burst
            begun = time.time()
            payload = json.dumps({"until": begun + 6 * seconds})

            def call(_, one=one, payload=payload):
                connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=120)
                try:
                    status, headers, data = one.api("POST", "/2015-03-31/functions/burst/invocations", payload, connection)
                    return json.loads(data) if status == 200 and "X-Amz-Function-Error" not in headers else None
                finally:
                    connection.close()

            with concurrent.futures.ThreadPoolExecutor(n) as threads:
                starts = [at - begun for at in threads.map(call, range(n)) if at is not None]
            last = max(starts, default=0)
            result[str(n)] = {"answered": len(starts), "seconds": last, "starts": sorted(starts)}
            ok = len(starts) == n and last <= seconds
            row("burst", f"0 to {n} Python environments: {len(starts)} began, the last after", f"{last:.2f} s", f"<= {seconds} s", ok)
            if last > 6 * seconds:
                row("burst", "  the first of them ended before the last began: not all were alive at once", "")


def many(build, args):
    """N environments alive at once, each with a call in progress, all limits set."""
    n = args.many
    with Lambkin(build) as one:
        runtime, handler, files = CLIENTS["c"]
        one.create("many", runtime, handler, files(build), memory=128)
        one.invoke("many")
        before = meminfo()
        begun = time.monotonic()

        def call(_):
            connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=120)
            try:
                status, headers, data = one.api("POST", "/2015-03-31/functions/many/invocations", '{"sleep_ms":20000}',
                                                connection)
                return status == 200 and "X-Amz-Function-Error" not in headers
            finally:
                connection.close()

        with concurrent.futures.ThreadPoolExecutor(n) as threads:
            calls = [threads.submit(call, k) for k in range(n)]
            alive, peak = 0, meminfo()
            while time.monotonic() - begun < 60 and alive < n:
                alive = sum(1 for pid in one.pids() if comm(pid) == "bootstrap")
                time.sleep(0.2)
            ready = time.monotonic() - begun
            peak = meminfo()
            good = sum(c.result() for c in calls)
        each = (before["MemAvailable"] - peak["MemAvailable"]) / max(alive, 1)
        report["many"] = {"asked": n, "alive": alive, "answered": good, "seconds": ready, "kb_each": each,
                          "slab_kb_each": (peak["Slab"] - before["Slab"]) / max(alive, 1)}
        row("many", f"{n} environments at once: alive / answered, after {ready:.1f} s", f"{alive} / {good}", f"{n} / {n}",
            alive >= n and good == n)
        row("many", "memory per environment (MemAvailable), of it slab",
            f"{each:.0f} kB, {report['many']['slab_kb_each']:.0f} kB")


def sandbox_pids(one):
    return [pid for pid in one.pids() if comm(pid) == "lambkin-init" or comm(pid).startswith("python")]


def density(build, args):
    """N Python environments alive at once, all limits set: what each takes, and what waits ahead of the first."""
    n = args.dense
    result = report["density"] = {}
    with Lambkin(build, "--max-sandboxes", str(n + 100), "--account-concurrency", str(n)) as one:
        one.create("dense", "python3.11", "app.handler", {"app.py": (BURST, 0o644)}, memory=128, timeout=300)
        one.invoke("dense", json.dumps({"until": 0}))
        time.sleep(2)   # not a test: lets the pools fill, so that they are counted
        ahead, idle = pss_kb(sandbox_pids(one)), pss_kb(one.pids())
        result["pools_kb"], result["idle_kb"] = ahead, idle
        row("density", "PSS of the pools: spares, parked runtimes, a zygote", f"{ahead / 1024:.1f} MB")
        row("density", "PSS of the idle daemon with them", f"{idle / 1024:.1f} MB", "<= 60 MB", idle <= 60 * 1024)
        before = meminfo()
        begun = time.time()
        hold = 20 + n / 20
        payload = json.dumps({"until": begun + hold})

        def call(_):
            connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=300)
            try:
                status, headers, _ = one.api("POST", "/2015-03-31/functions/dense/invocations", payload, connection)
                return status == 200 and "X-Amz-Function-Error" not in headers
            finally:
                connection.close()

        with concurrent.futures.ThreadPoolExecutor(n) as threads:
            calls = [threads.submit(call, k) for k in range(n)]
            alive = 0
            while time.time() < begun + 0.8 * hold and alive < n and not any(c.done() for c in calls):
                time.sleep(0.5)
                alive = one.health()["busy"]
            ready, peak = time.time() - begun, meminfo()
            each = pss_kb(sandbox_pids(one)) / max(alive, 1)
            good = sum(c.result() for c in calls)
        taken = (before["MemAvailable"] - peak["MemAvailable"]) / max(alive, 1)
        slab = (peak["Slab"] - before["Slab"]) / max(alive, 1)
        result |= {"asked": n, "alive": alive, "answered": good, "seconds": ready, "pss_kb_each": each, "kb_each": taken, "slab_kb_each": slab}
        row("density", f"{n} Python environments at once: alive / answered, after {ready:.0f} s", f"{alive} / {good}", f"{n} / {n}", alive >= n and good == n)
        row("density", "PSS per environment, its init included", f"{each / 1024:.2f} MB", "<= 3 MB", each <= 3 * 1024)
        row("density", "memory per environment (MemAvailable), of it slab", f"{taken / 1024:.2f} MB, {slab / 1024:.2f} MB")
