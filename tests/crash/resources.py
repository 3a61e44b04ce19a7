"""What belongs to a function under a killed daemon: whatever step it dies at, each resource is as it was or as it is to be."""
import base64
import collections
import copy
import signal
import time

STEPS = ("pwrite64", "fdatasync", "fsync", "write", "rename", "renameat2")
NAME = "owner"
BASE = f"/2015-03-31/functions/{NAME}"
ARN = f"arn:aws:lambda:us-east-1:000000000000:function:{NAME}"


class Resources:
    def __init__(self, lambkin, lost, code):
        self.lambkin, self.lost, self.code, self.serial = lambkin, lost, code, 0

    def get(self, path):
        answer = self.lambkin.api("GET", path)
        assert answer.status in (200, 404), (path, answer.text)
        return answer.json if answer.status == 200 else None

    def observed(self):
        """All that is known of it, without what differs each time."""
        policy = self.get(f"{BASE}/policy")
        return {
            "versions": [(v["Version"], v["Description"]) for v in self.get(f"{BASE}/versions")["Versions"]],
            "aliases": {a["Name"]: a["FunctionVersion"] for a in self.get(f"{BASE}/aliases")["Aliases"]},
            "policy": policy and [s for s in ("a", "b") if f'"Sid":"{s}"' in policy["Policy"]],
            "tags": self.get(f"/2017-03-31/tags/{ARN.replace(':', '%3A')}")["Tags"],
            "reserved": self.get(f"/2019-09-30/functions/{NAME}/concurrency").get("ReservedConcurrentExecutions"),
            "layers": [v["Version"] for v in self.get("/2018-10-31/layers/swept/versions")["LayerVersions"]],
        }

    def change(self, method, path, body=None):
        """True: acknowledged. None: nobody knows."""
        try:
            answer = self.lambkin.api(method, path, body, timeout=20)
        except self.lost:
            return None
        assert answer.status < 300, (path, answer.text)
        return True

    def prepare(self):
        """A new description, so that there is something to publish; one of everything."""
        self.serial += 1
        if self.lambkin.api("GET", BASE).status == 404:
            self.change("POST", "/2015-03-31/functions", {
                "FunctionName": NAME, "Runtime": "python3.11", "Handler": "app.handler", "Role": "arn:aws:iam::000000000000:role/r",
                "Code": {"ZipFile": base64.b64encode(self.code("x")).decode()}})
            self.lambkin.settled(NAME)
        self.change("PUT", f"{BASE}/configuration", {"Description": f"d{self.serial}"})
        self.lambkin.settled(NAME)
        now = self.observed()
        if "live" not in now["aliases"]:
            self.change("POST", f"{BASE}/aliases", {"Name": "live", "FunctionVersion": "$LATEST"})
        if "new" in now["aliases"]:
            self.change("DELETE", f"{BASE}/aliases/new")
        for sid in now["policy"] or []:
            self.change("DELETE", f"{BASE}/policy/{sid}")
        self.change("POST", f"{BASE}/policy", permission("a"))


def permission(sid):
    return {"StatementId": sid, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}


def layer(code):
    return {"Content": {"ZipFile": base64.b64encode(code("layer")).decode()}}


def publish(state, serial):
    last = max([0] + [int(v) for v, _ in state["versions"] if v != "$LATEST"])
    state["versions"].append((str(last + 1), f"d{serial}"))


CHANGES = {  # what -> method, path, body; what it does to the state
    "publish": ("POST", f"{BASE}/versions", {}, publish),
    "alias": ("POST", f"{BASE}/aliases", {"Name": "new", "FunctionVersion": "$LATEST"}, lambda s, n: s["aliases"].update(new="$LATEST")),
    "alias away": ("DELETE", f"{BASE}/aliases/live", None, lambda s, n: s["aliases"].pop("live")),
    "policy": ("POST", f"{BASE}/policy", permission("b"), lambda s, n: s["policy"].append("b")),
    "policy away": ("DELETE", f"{BASE}/policy/a", None, lambda s, n: s.update(policy=None)),
    "tags": ("POST", f"/2017-03-31/tags/{ARN.replace(':', '%3A')}", {"Tags": {"a": "b"}}, lambda s, n: s["tags"].update(a="b")),
    "reserved": ("PUT", f"/2017-10-31/functions/{NAME}/concurrency", {"ReservedConcurrentExecutions": 3}, lambda s, n: s.update(reserved=3)),
    "layer": ("POST", "/2018-10-31/layers/swept/versions", layer, lambda s, n: s["layers"].insert(0, s["layers"][0] + 1 if s["layers"] else 1)),
}


def sweep(lambkin, check, fault_at, daemon_of, until, lost, code, seconds=60):
    """fault_at(pid, call, nth): the daemon dies there."""
    resources, kills = Resources(lambkin, lost, code), collections.Counter()
    deadline = time.monotonic() + seconds
    for what, (method, path, body, effect) in CHANGES.items():
        for call in STEPS:
            for nth in range(1, 8):
                if time.monotonic() > deadline:
                    print(f"the sweep of resources ran out of time at {what}, {call} {nth}")
                    return kills
                resources.prepare()
                before = resources.observed()
                after = copy.deepcopy(before)
                effect(after, resources.serial)
                daemon = daemon_of(lambkin)
                fault = fault_at(daemon, call, nth)
                done = resources.change(method, path, body(code) if callable(body) else body)
                fault.end()
                step = f"{what}, {call} number {nth}"
                if daemon_of(lambkin) == daemon and done:
                    found = resources.observed()
                    check(found == after, f"{step}: not done", f"{found} instead of {after}")
                    break
                kills[what] += 1
                if sum(kills.values()) % 3 == 0:  # a daemon that dies often starts again later and later
                    lambkin.end(signal.SIGKILL)
                    lambkin.start()
                until(lambda old=daemon: daemon_of(lambkin) not in (None, old), "another daemon")
                lambkin.wait_ready()
                found = resources.observed()
                possible = [after] if done else [before, after]
                check(found in possible, f"{step}: {found},", f"not one of {possible}")
    return kills
