"""Log groups under a killed daemon: whatever step it dies at, a group is as it was or as it is to be, and so are its streams;
of events that were not acknowledged there may be the first ones."""
import collections
import contextlib
import signal
import time

STEPS = ("mkdirat", "openat", "write", "pwrite64", "fsync", "fdatasync", "renameat", "unlinkat", "ftruncate")
GROUP = "swept"


class Group:
    """What is known of it: None is no group, else (retention, tags, {stream: [messages]})."""

    def __init__(self, lambkin, lost):
        self.lambkin = lambkin
        self.lost = lost

    def call(self, op, **members):
        answer = self.lambkin.api("POST", "/", members, {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"Logs_20140328.{op}"}, timeout=20)
        return answer.status, answer.json

    def change(self, op, **members):
        """True: acknowledged. None: nobody knows."""
        try:
            status, answer = self.call(op, **members)
        except self.lost:
            return None
        assert status == 200, (op, answer)
        return True

    def observed(self):
        status, answer = self.call("DescribeLogGroups", logGroupNamePrefix=GROUP)
        assert status == 200, answer
        if not answer["logGroups"]:
            assert self.call("FilterLogEvents", logGroupName=GROUP)[0] == 400, "events of no group"
            return None
        tags = self.call("ListTagsLogGroup", logGroupName=GROUP)[1]["tags"]
        streams = {s["logStreamName"]: [] for s in self.call("DescribeLogStreams", logGroupName=GROUP)[1]["logStreams"]}
        for event in self.call("FilterLogEvents", logGroupName=GROUP)[1]["events"]:
            streams[event["logStreamName"]].append(event["message"])
        return answer["logGroups"][0].get("retentionInDays"), tags, streams

    def prepare(self):
        if self.observed() is not None:
            self.change("DeleteLogGroup", logGroupName=GROUP)
        self.change("CreateLogGroup", logGroupName=GROUP, tags={"a": "1"})
        self.change("CreateLogStream", logGroupName=GROUP, logStreamName="one")
        self.change("PutLogEvents", logGroupName=GROUP, logStreamName="one", logEvents=events("first"))


def events(*texts):
    now = int(time.time() * 1000)
    return [{"timestamp": now, "message": text} for text in texts]


START = (None, {"a": "1"}, {"one": ["first"]})
CHANGES = {  # operation -> its members, and the states that may be seen after it
    "DeleteLogGroup": ({}, [None]),
    "CreateLogGroup": ({"tags": {"b": "2"}}, [(None, {"b": "2"}, {})]),
    "PutRetentionPolicy": ({"retentionInDays": 7}, [(7, {"a": "1"}, {"one": ["first"]})]),
    "TagLogGroup": ({"tags": {"b": "2"}}, [(None, {"a": "1", "b": "2"}, {"one": ["first"]})]),
    "CreateLogStream": ({"logStreamName": "two"}, [(None, {"a": "1"}, {"one": ["first"], "two": []})]),
    "DeleteLogStream": ({"logStreamName": "one"}, [(None, {"a": "1"}, {})]),
    "PutLogEvents": ({"logStreamName": "one"}, [(None, {"a": "1"}, {"one": ["first", "second", "third"]}),
                                                (None, {"a": "1"}, {"one": ["first", "second"]})]),
}


def sweep(lambkin, check, fault_at, daemon_of, until, lost, seconds=60):
    """fault_at(pid, call, nth): the daemon dies there."""
    group, kills = Group(lambkin, lost), collections.Counter()
    deadline = time.monotonic() + seconds
    for op, (members, after) in CHANGES.items():
        for call in STEPS:
            for nth in range(1, 8):
                if time.monotonic() > deadline:
                    print(f"the sweep of log groups ran out of time at {op}, {call} {nth}")
                    return kills
                group.prepare()
                if op == "CreateLogGroup":
                    group.change("DeleteLogGroup", logGroupName=GROUP)
                if op == "PutLogEvents":
                    members["logEvents"] = events("second", "third")
                before = None if op == "CreateLogGroup" else START
                daemon = daemon_of(lambkin)
                fault = fault_at(daemon, call, nth)
                done = group.change(op, logGroupName=GROUP, **members)
                fault.end()
                what = f"{op}, {call} number {nth}"
                if daemon_of(lambkin) == daemon and done:
                    check(group.observed() == after[0], f"{what}: not done", group.observed())
                    break
                kills[op] += 1
                if sum(kills.values()) % 3 == 0:  # a daemon that dies often starts again later and later
                    lambkin.end(signal.SIGKILL)
                    lambkin.start()
                until(lambda old=daemon: daemon_of(lambkin) not in (None, old), "another daemon")
                lambkin.wait_ready()
                found = group.observed()
                possible = after[:1] if done else [before, *after]
                check(found in possible, f"{what}: {found},", f"not one of {possible}")
    with contextlib.suppress(AssertionError):
        group.change("DeleteLogGroup", logGroupName=GROUP)
    return kills
