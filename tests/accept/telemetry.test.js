/* The Telemetry API and the Logs API: subscribers in Python from a layer, by HTTP and by TCP, and one in the handler. */
'use strict';
const assert = require('node:assert/strict');
const { test, before, after } = require('node:test');
const { Lambkin, PUPPET, UUID, until } = require('./lib/lambkin');

/* Subscribes as the variable EXT says for its name, and keeps what it is sent, batch by batch, in /tmp/NAME.jsonl. */
const SUBSCRIBER = `import http.client, http.server, json, os, socketserver, sys, threading, time
HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
def call(method, path, body=None, headers={}):
    c = http.client.HTTPConnection(HOST, int(PORT))
    c.request(method, path, body, headers)
    r = c.getresponse()
    return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read().decode()
class Subscriber:
    def __init__(self, name, events):
        self.name, self.events, self.saw, self.change, self.busy = name, events, [], threading.Condition(), threading.Event()
        self.busy.set()
        status, headers, text = call("POST", "/2020-01-01/extension/register", json.dumps({"events": events}), {"Lambda-Extension-Name": name})
        self.me = {"Lambda-Extension-Identifier": headers["lambda-extension-identifier"], "Content-Type": "application/json"}
    def take(self, batch):
        with self.change:
            self.saw += batch
            self.change.notify_all()
            with open("/tmp/%s.jsonl" % self.name, "a") as f:
                f.write(json.dumps(batch) + "\\n")
    def wait(self, probe):
        with self.change:
            self.change.wait_for(lambda: any(probe(e) for e in self.saw))
    def listen(self, port, tcp=False):
        outer = self
        class Http(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.busy.wait()
                outer.take(json.loads(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
            def log_message(self, *args):
                pass
        class Lines(socketserver.StreamRequestHandler):
            def handle(self):
                for line in self.rfile:
                    outer.take([json.loads(line)])
        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
        server = Server(("sandbox.localdomain", port), Lines if tcp else Http)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    def subscribe(self, path, document):
        return call("PUT", path, json.dumps(document), self.me)
    def next(self):
        return json.loads(call("GET", "/2020-01-01/extension/event/next", None, self.me)[2])
`;
const EXTENSION = `#!/usr/bin/python3
${SUBSCRIBER}
NAME = os.path.basename(sys.argv[0])
DO = json.loads(os.environ["EXT"])[NAME]
me = Subscriber(NAME, DO.get("events", ["INVOKE", "SHUTDOWN"]))
me.listen(DO["port"], DO.get("tcp", False))
where = {"protocol": "TCP", "port": DO["port"]} if DO.get("tcp") else {"protocol": "HTTP", "URI": "http://sandbox.localdomain:%d/x?y=1" % DO["port"]}
answer = me.subscribe(DO.get("path", "/2022-07-01/telemetry"), {"schemaVersion": DO.get("schema", "2022-12-13"), "types": DO["types"],
    "buffering": {"timeoutMs": DO.get("ms", 25), "maxItems": 1000, "maxBytes": 262144}, "destination": where})
with open("/tmp/%s.answer" % NAME, "w") as f:
    json.dump(answer, f)
exec(DO.get("init", ""))
while True:
    event = me.next()
    exec(DO.get(event["eventType"], ""))
    if event["eventType"] == "SHUTDOWN":
        break
`;

let lk;
before(async () => {
  lk = await Lambkin.start();
});
after(() => lk.stop());

async function make(name, does, more = {}) {
  const files = Object.fromEntries(Object.keys(does).map((n) => [`extensions/${n}`, EXTENSION]));
  await lk.create(name, PUPPET, { Layers: [await lk.layer(name, files)], env: { EXT: JSON.stringify(does) }, ...more });
}

/* Inside of the function: what a subscriber has got, once a Python expression of an event e is true of one. */
const GOT = (name, probe) => `result = []
while not any(${probe} for e in result):
    time.sleep(0.005)
    if os.path.exists("/tmp/${name}.jsonl"):
        whole = open("/tmp/${name}.jsonl").read().split("\\n")[:-1] # at once: a line may be half written, and go on
        result = [e for line in whole for e in json.loads(line)]`;
const of = (type) => `e["type"] == "${type}"`;
const types = (events) => events.map((e) => e.type);
const log = async (name) => (await lk.cli(['logs', name])).stdout;

test('the Telemetry API by HTTP, the Logs API by TCP', async () => {
  await make('both', { a: { port: 8001, types: ['platform', 'function', 'extension'], INVOKE: 'print("busy", flush=True)' },
    b: { port: 8002, types: ['platform', 'function'], tcp: true, path: '/2020-08-15/logs', schema: '2021-03-18' } });
  const first = (await lk.invoke('both', { code: 'print("hello")\nresult = [json.load(open("/tmp/%s.answer" % n)) for n in "ab"]' }));
  const id = first.headers['x-amzn-requestid'];
  for (const [status, headers, text] of first.json) assert.deepEqual([status, headers['content-type'], text], [200, 'application/json', '"OK"']);

  const mine = (type) => `${of(type)} and e["record"]["requestId"] == "${id}"`;
  const telemetry = await lk.call('both', { code: GOT('a', mine('platform.report')) });
  for (const e of telemetry) assert.match(e.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const until = telemetry.slice(0, telemetry.findIndex((e) => e.type === 'platform.report') + 1);
  assert.deepEqual(types(until).filter((t) => !/extension|Subscription/.test(t)), ['platform.initStart', 'platform.initRuntimeDone',
    'platform.initReport', 'platform.start', 'function', 'platform.runtimeDone', 'platform.report']);
  const record = (type) => until.find((e) => e.type === type).record;
  assert.deepEqual(record('platform.telemetrySubscription'), { name: 'a', state: 'Subscribed', types: ['platform', 'function', 'extension'] });
  assert.deepEqual(until.filter((e) => e.type === 'platform.extension').map((e) => e.record), ['a', 'b'].map((name) => (
    { name, state: 'Ready', events: ['INVOKE', 'SHUTDOWN'] })));
  assert.equal(record('platform.initStart').functionName, 'both');
  assert.equal(record('function'), 'hello\n');
  assert.equal(record('extension'), 'busy\n');
  assert.equal(record('platform.initReport').status, 'success');
  const done = record('platform.runtimeDone');
  assert.deepEqual([done.requestId, done.status, done.spans.map((s) => s.name)],
    [id, 'success', ['responseLatency', 'responseDuration', 'runtimeOverhead']]);
  assert.match(done.tracing.value, /^Root=1-/);
  const report = record('platform.report');
  assert.deepEqual([report.requestId, report.metrics.memorySizeMB, report.spans.map((s) => s.name)], [id, 256, ['extensionOverhead']]);
  assert.ok(report.metrics.initDurationMs > 0 && report.metrics.durationMs >= done.metrics.durationMs);

  const logs = await lk.call('both', { code: GOT('b', mine('platform.report')) });
  assert.deepEqual(types(logs.slice(0, logs.findIndex((e) => e.type === 'platform.report') + 1)).filter((t) => !/extension|Subscription/.test(t)),
    ['platform.start', 'function', 'platform.runtimeDone', 'platform.end', 'platform.report']);
  assert.deepEqual(logs.find((e) => e.type === 'platform.runtimeDone').record, { requestId: id, status: 'success' });
  const text = await log('both');
  assert.match(text, /TELEMETRY\tName: a\tState: Subscribed\tTypes: \[Platform, Function, Extension\]\n/);
  assert.match(text, /LOGS\tName: b\tState: Subscribed\tTypes: \[Platform, Function\]\n/);
});

test('an extension that waits for runtimeDone ends the invocation', async () => {
  await make('waits', { a: { port: 8001, types: ['platform'],
    INVOKE: 'me.wait(lambda e: e["type"] == "platform.runtimeDone" and e["record"]["requestId"] == event["requestId"])' } });
  for (let i = 0; i < 3; i++) assert.equal(await lk.call('waits', { code: 'result = G["calls"]' }), i + 1);
});

test('refusals', async () => {
  const INTERNAL = `${SUBSCRIBER}
me = Subscriber("inner", ["INVOKE"])
T, L, ID = "/2022-07-01/telemetry", "/2020-08-15/logs", me.me
good = {"schemaVersion": "2022-07-01", "types": ["function"], "destination": {"protocol": "TCP", "port": 8001}, "buffering": {"timeoutMs": 25}}
me.listen(8001, True)
def put(path, document, headers):
    status, headers, text = call("PUT", path, json.dumps(document), headers)
    return [status, json.loads(text)]
ANSWERS = [put(T, good, {}), put(T, good, {"Lambda-Extension-Identifier": "x"}),
    put(L, good, {"Lambda-Extension-Identifier": "00000000-0000-4000-8000-000000000000"}),
    put(T, {"schemaVersion": "2022-07-01", "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain"}}, ID),
    put(L, {"types": ["function"], "destination": {"protocol": "TCP", "port": 9001}}, ID), put(T, good, ID)]
def wait():
    while True:
        me.next()
threading.Thread(target=wait, daemon=True).start()
def handler(event, context):
    print("said inside")
    me.wait(lambda e: e["record"] == "said inside\\n")
    return ANSWERS + [put(T, good, ID), put(L, good, ID)]
`;
  await lk.create('inner', { 'app.py': INTERNAL });
  const error = (status, errorType, errorMessage) => [status, { errorMessage, errorType }];
  assert.deepEqual(await lk.call('inner', {}), [
    error(403, 'Extension.MissingExtensionIdentifier', 'Missing Lambda-Extension-Identifier header'),
    error(403, 'Extension.InvalidExtensionIdentifier', 'Invalid Lambda-Extension-Identifier'),
    error(403, 'Extension.UnknownExtensionIdentifier', 'Unknown Lambda-Extension-Identifier'),
    error(400, 'ValidationError', 'URI port is not provided; types should not be empty'),
    error(400, 'Logs.ValidationError', 'port is reserved'),
    [200, 'OK'],
    error(403, 'Telemetry.SubscriptionClosed', 'Telemetry API subscription is closed'),
    error(403, 'Logs.SubscriptionClosed', 'Logs API subscription is closed')]);
});

test('who does not keep up loses records, and is told how many', async () => {
  await make('flood', { a: { port: 8001, types: ['platform', 'function'], init: 'me.busy.clear()',
    INVOKE: 'if os.path.exists("/tmp/flooded"): me.busy.set()' } });
  const code = 'for i in range(20): print("%02d" % i + 100000 * "x")\nopen("/tmp/flooded", "w").close()';
  await lk.call('flood', { code });
  const all = await lk.call('flood', { code: GOT('a', of('platform.logsDropped')) });
  const { record } = all.find((e) => e.type === 'platform.logsDropped');
  const lines = all.filter((e) => e.type === 'function').length;
  assert.equal(lines + record.droppedRecords >= 20, true, JSON.stringify([lines, record]));
  assert.equal(record.reason, 'Some logs were dropped because the downstream consumer is slower than the logs production rate');
});

test('a reset keeps the subscription, and what it is owed, for the next run', async () => {
  await make('crash', { a: { port: 8001, types: ['platform'], events: [] } });
  await lk.call('crash', { code: '' });
  const text = await until(async () => { /* another environment may step in, while this one is reset */
    const failed = await lk.invoke('crash', { code: 'os._exit(3)' });
    assert.equal(failed.json.errorType, 'Runtime.ExitError');
    const next = await lk.call('crash', { code: GOT('a', of('platform.initReport')) });
    const id = failed.headers['x-amzn-requestid'];
    if (!next.some((e) => e.type === 'platform.report' && e.record.requestId === id && e.record.errorType === 'Runtime.ExitError')) return null;
    return log('crash');
  }, 'a second run of the same environment');
  assert.match(text, /TELEMETRY\tName: a\tState: Already subscribed\tTypes: \[Platform\]\n/);
});

test('what waits is delivered before the end', async () => {
  await make('ends', { a: { port: 8001, types: ['platform'], ms: 30000,
    SHUTDOWN: 'me.wait(lambda e: e["type"] == "platform.report")\nprint("the report came", flush=True)' } });
  await lk.call('ends', { code: '' });
  assert.equal((await lk.api('POST', '/_lambkin/cold/ends')).status, 200);
  await until(async () => /the report came/.test(await log('ends')), 'the report');
});

test('JSON logs are objects', async () => {
  await make('objects', { a: { port: 8001, types: ['function'] } }, { LoggingConfig: { LogFormat: 'JSON' } });
  const { headers } = await lk.invoke('objects', { code: 'import logging\nprint("plain")\nlogging.getLogger().warning("careful")' });
  const got = async (text) => (await lk.call('objects', { code: GOT('a', `e["record"]["message"] == "${text}"`) }))
    .find((e) => e.record.message === text).record;
  const [plain, careful] = [await got('plain'), await got('careful')];
  assert.deepEqual({ ...plain, timestamp: '' }, { timestamp: '', level: 'INFO', requestId: headers['x-amzn-requestid'], message: 'plain' });
  assert.deepEqual([careful.level, careful.requestId], ['WARNING', headers['x-amzn-requestid']]);
});
