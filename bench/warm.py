"""Invocations that find an environment, beside a bare relay (bench/floor) and beside lambkin's peers; and the idle daemon."""
import http.client
import json
import pathlib
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

from common import CLIENTS, EVENT, Lambkin, WARM, clean_env, floor, free_port, load, median, peers_folder, pss_kb, report, row, wait_port


def echo_name(client):
    return "echo-" + client.replace(", ", "-")


def warm(build, args):
    result = report["warm"] = {}
    with Lambkin(build) as daemon:
        for client, (runtime, handler, files) in WARM.items():
            daemon.create(echo_name(client), runtime, handler, files(build))
        path = "/2015-03-31/functions/{}/invocations"
        for client in WARM:
            for connections in (1, 8):
                requests = args.requests * (1 if connections == 1 else 2)
                ours, theirs = [], []
                with floor(build, client, connections) as port:
                    load(build, daemon.port, path.format(echo_name(client)), connections, requests // 4)
                    load(build, port, path.format("x"), connections, requests // 4)
                    for _ in range(args.rounds):
                        ours.append(load(build, daemon.port, path.format(echo_name(client)), connections, requests))
                        theirs.append(load(build, port, path.format("x"), connections, requests))
                p50 = median(ours, "p50_us") / median(theirs, "p50_us")
                rps = median(ours, "rps") / median(theirs, "rps")
                result[f"{client}-{connections}"] = {"lambkin": ours, "floor": theirs, "p50_ratio": p50, "rps_ratio": rps}
                label = f"{client}, {connections} connection{'s' if connections > 1 else ''}"
                row("warm", f"{label}: p50 {median(ours, 'p50_us'):.0f} us (floor {median(theirs, 'p50_us'):.0f} us)",
                    f"{p50:.2f} x floor", "<= 1.40", p50 <= 1.4)
                row("warm", f"{label}: {median(ours, 'rps'):.0f}/s (floor {median(theirs, 'rps'):.0f}/s)",
                    f"{rps:.2f} x floor", ">= 0.75", rps >= 0.75)


def peers(build, args):
    result = report["peers"] = {}
    folder = peers_folder()
    env = {**clean_env(), "SLS_TELEMETRY_DISABLED": "1", "SLS_NOTIFICATIONS_MODE": "off",
           "SLS_INTERACTIVE_SETUP_ENABLE": "0"}
    lambda_port, http_port = free_port(), free_port()
    serverless = subprocess.Popen(["node_modules/.bin/serverless", "offline", "start", "--lambdaPort", str(lambda_port),
                                   "--httpPort", str(http_port)], cwd=folder, env=env, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        wait_port(lambda_port, serverless)
        with Lambkin(build) as daemon:
            runtime, handler, files = CLIENTS["node"]
            daemon.create("echo", runtime, handler, files(build))
            path = "/2015-03-31/functions/{}/invocations"
            for connections in (1, 8):
                ours, offline, fun = [], [], []
                load(build, daemon.port, path.format("echo"), connections, 400)
                load(build, lambda_port, path.format("peers-dev-echo"), connections, 100)
                for _ in range(args.rounds):
                    ours.append(load(build, daemon.port, path.format("echo"), connections, args.requests))
                    offline.append(load(build, lambda_port, path.format("peers-dev-echo"), connections,
                                        args.requests // 10))
                    done = subprocess.run(["node", "fun.js", str(connections), str(args.requests // 5)], cwd=folder,
                                          env=clean_env(), capture_output=True, text=True, timeout=120, check=True)
                    fun.append(json.loads(done.stdout.strip().splitlines()[-1]))
                for name, samples in (("serverless-offline", offline), ("@vercel/fun", fun)):
                    rps = median(ours, "rps") / median(samples, "rps")
                    p50 = median(ours, "p50_us") / median(samples, "p50_us")
                    result[f"{name}-{connections}"] = {"lambkin": ours, "peer": samples, "rps_ratio": rps, "p50_ratio": p50}
                    label = f"{name}, {connections} connection{'s' if connections > 1 else ''}"
                    row("peers", f"{label}: {median(samples, 'rps'):.0f}/s, lambkin {median(ours, 'rps'):.0f}/s",
                        f"{rps:.1f} x its rate", ">= 3", rps >= 3)
                    row("peers", f"{label}: p50 {median(samples, 'p50_us'):.0f} us, lambkin {median(ours, 'p50_us'):.0f} us",
                        f"{p50:.2f} x its p50", "<= 0.33", p50 <= 1 / 3)
    finally:
        serverless.send_signal(signal.SIGINT)
        try:
            serverless.wait(20)
        except subprocess.TimeoutExpired:
            serverless.kill()


def daemon(build, args):
    result = report["daemon"] = {}
    prefix = pathlib.Path(tempfile.mkdtemp(prefix="lambkin-stripped-"))
    try:
        size = 0
        for program in ("lambkin", "lambkin-client", "lambkin-daemon", "lambkin-launch", "lambkin-init", "lambkin-unpack"):
            shutil.copy(build / program, prefix / program)
            subprocess.run(["strip", prefix / program], check=True)
            size += (prefix / program).stat().st_size
    finally:
        shutil.rmtree(prefix)
    result["stripped_bytes"] = size
    row("daemon", "stripped programs together", f"{size / 1e6:.2f} MB", "<= 4 MB", size <= 4 * 1024 * 1024)

    accepted, answered = [], []
    for _ in range(args.starts):
        one = Lambkin(build)
        try:
            accepted.append(one.wait_accepting() * 1000)
            runtime, handler, files = CLIENTS["python"]
            one.create("first", runtime, handler, files(build), wait=False)
            while True:   # Pending answers 409 until the function is active
                connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=60)
                status, _, _ = one.api("POST", "/2015-03-31/functions/first/invocations", EVENT, connection)
                connection.close()
                if status == 200:
                    break
            answered.append((time.monotonic() - one.begun) * 1000)
        finally:
            one.stop()
    result["accepted_ms"], result["answered_ms"] = accepted, answered
    accepted_ms, answered_ms = statistics.median(accepted), statistics.median(answered)
    row("daemon", f"start to first accepted request, median of {args.starts}", f"{accepted_ms:.0f} ms", "<= 50 ms",
        accepted_ms <= 50)
    row("daemon", "start to first function created and answered (Python)", f"{answered_ms:.0f} ms", "<= 150 ms",
        answered_ms <= 150)

    with Lambkin(build) as one:
        time.sleep(2)   # not a test: lets the pool of prepared sandboxes fill, so that it is counted
        pids = one.pids()
        result["idle_pss_kb"] = {"total": pss_kb(pids), "processes": len(pids)}
        row("daemon", f"idle PSS, {len(pids)} processes", f"{pss_kb(pids) / 1024:.2f} MB", "<= 8 MB",
            pss_kb(pids) <= 8 * 1024)
