/* The Extensions API: external extensions from layers in Python and bash, internal ones in the handler. */
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test, before, after } = require('node:test');
const { Lambkin, PUPPET, ACCOUNT, REGION, TOP, UUID, read, until } = require('./lib/lambkin');

/* An extension that does what the variable EXT says for its name: `events` to register for, and code to run at `start`,
 * `init`, `INVOKE` and `SHUTDOWN`. What it saw lies in /tmp/NAME.json, where the function finds it. */
const PUPPET_EXTENSION = `#!/usr/bin/python3
import http.client, json, os, signal, sys, time
NAME = os.path.basename(sys.argv[0])
HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
SAW = {"env": dict(os.environ), "events": []}
DO = json.loads(os.environ.get("EXT", "{}")).get(NAME, {})
def call(method, path, body=None, headers={}):
    c = http.client.HTTPConnection(HOST, int(PORT))
    c.request(method, "/2020-01-01/extension" + path, body, headers)
    r = c.getresponse()
    return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read().decode()
def note():
    with open("/tmp/%s.new" % NAME, "w") as f:
        json.dump(SAW, f)
    os.rename("/tmp/%s.new" % NAME, "/tmp/%s.json" % NAME)
exec(DO.get("start", ""))
SAW["register"] = call("POST", "/register", json.dumps({"events": DO.get("events", ["INVOKE", "SHUTDOWN"])}),
    {"Lambda-Extension-Name": NAME, "Lambda-Extension-Accept-Feature": "other, accountId"})
ME = {"Lambda-Extension-Identifier": SAW["register"][1].get("lambda-extension-identifier", "")}
exec(DO.get("init", ""))
note()
while True:
    status, headers, text = call("GET", "/event/next", None, ME)
    event = json.loads(text)
    SAW["events"].append([status, headers, event, time.time()])
    note()
    print("%s got %s %s" % (NAME, event["eventType"], event.get("shutdownReason", "")), flush=True)
    exec(DO.get(event["eventType"], ""))
    if event["eventType"] == "SHUTDOWN":
        break
`;
let lk;

before(async () => {
  lk = await Lambkin.start();
});
after(() => lk.stop());

const layer = (files) => lk.layer(`l${Math.random().toString(36).slice(2)}`, files);

/* A function whose code the event says, with extensions: {name: {what it does}}. */
async function make(name, does, { files, more = {} } = {}) {
  const all = files || Object.fromEntries(Object.keys(does).map((n) => [`extensions/${n}`, PUPPET_EXTENSION]));
  await lk.create(name, PUPPET, { Layers: [await layer(all)], env: { EXT: JSON.stringify(does), MINE: 'yes' }, ...more });
}

/* What an extension saw, once that are so many events. */
const SAW = (name, events) => `result = json.load(open("/tmp/${name}.json"))
while len(result["events"]) < ${events}:
    time.sleep(0.005)
    result = json.load(open("/tmp/${name}.json"))`;
const log = async (name) => (await lk.cli(['logs', name])).stdout;
const cold = async (name) => assert.equal((await lk.api('POST', `/_lambkin/cold/${name}`)).status, 200);

test('register, next, INVOKE', async () => {
  await make('basic', { 'b-second': {}, 'a-first': { events: ['SHUTDOWN'] } });
  const answer = await lk.invoke('basic', { code: SAW('b-second', 1) });
  const saw = answer.json;
  const id = answer.headers['x-amzn-requestid'];
  const [status, headers, body] = saw.register;
  assert.equal(status, 200);
  assert.match(headers['lambda-extension-identifier'], UUID);
  assert.deepEqual(JSON.parse(body), { functionName: 'basic', functionVersion: '$LATEST', handler: 'app.handler', accountId: ACCOUNT });
  const [[got, eventHeaders, event]] = saw.events;
  assert.equal(got, 200);
  assert.equal(eventHeaders['content-type'], 'application/json');
  assert.match(eventHeaders['lambda-extension-event-identifier'], UUID);
  assert.ok(Math.abs(event.deadlineMs - Date.now() - 10000) < 5000, String(event.deadlineMs));
  assert.match(event.tracing.value, /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0/);
  assert.deepEqual({ ...event, deadlineMs: 0, tracing: { ...event.tracing, value: '' } }, { eventType: 'INVOKE', deadlineMs: 0, requestId: id,
    invokedFunctionArn: `arn:aws:lambda:${REGION}:${ACCOUNT}:function:basic`, tracing: { type: 'X-Amzn-Trace-Id', value: '' } });
  assert.equal(saw.env.MINE, 'yes');
  assert.equal(saw.env.AWS_LAMBDA_FUNCTION_NAME, 'basic');
  for (const n of ['_HANDLER', 'AWS_EXECUTION_ENV', 'LAMBDA_TASK_ROOT', 'AWS_LAMBDA_LOG_GROUP_NAME', 'AWS_XRAY_DAEMON_ADDRESS', 'PYTHONPATH']) {
    assert.equal(saw.env[n], undefined, n);
  }
  const first = await lk.call('basic', { code: SAW('a-first', 0) });
  assert.deepEqual(first.events, [], 'who asked for SHUTDOWN only is not woken for invocations');
  const text = await log('basic');
  assert.match(text, /EXTENSION\tName: a-first\tState: Ready\tEvents: \[SHUTDOWN\]\n/);
  assert.match(text, /EXTENSION\tName: b-second\tState: Ready\tEvents: \[INVOKE, SHUTDOWN\]\n/);
  assert.match(text, /b-second got INVOKE/);
});

test('the caller is answered at once, the environment is free when the extension is', async () => {
  await make('slow', { busy: { INVOKE: 'time.sleep(0.4)' } });
  await lk.call('slow', { code: '' });
  const begun = Date.now();
  await lk.invoke('slow', { code: '' }, { 'X-Amz-Log-Type': 'None' });
  assert.ok(Date.now() - begun < 350, 'does not wait for the extension');
  const text = await until(async () => {
    const all = await log('slow');
    return (all.match(/REPORT/g) || []).length === 2 && all;
  }, 'both reports');
  for (const ms of text.match(/\tDuration: \d+/g)) assert.ok(Number(ms.split(' ')[1]) >= 400, text);
});

test('the runtime starts when all have registered; next of all ends the init', async () => {
  await make('order', { x: { start: 'time.sleep(0.2)\nopen("/tmp/x.before", "w").close()', init: 'time.sleep(0.2)\nopen("/tmp/x.after", "w").close()' } },
    { files: { 'extensions/x': PUPPET_EXTENSION, 'extensions/folder/y': PUPPET_EXTENSION, 'extensions/folder/': '' } });
  const answer = await lk.invoke('order', { code: 'result = [os.path.exists("/tmp/x.before"), os.path.exists("/tmp/x.after"), sorted(os.listdir("/opt/extensions"))]' });
  assert.deepEqual(answer.json, [true, true, ['folder', 'x']]);
  assert.ok(Number(/Init Duration: (\d+)/.exec(answer.tail)[1]) >= 400, answer.tail);
});

test('SHUTDOWN: spindown, and SIGTERM to the runtime before it', async () => {
  await make('down', { quick: {}, stubborn: { SHUTDOWN: 'print("%d ms left" % (event["deadlineMs"] - time.time() * 1000), flush=True)\ntime.sleep(60)' }, deaf: { events: [] } });
  await lk.call('down', { code: 'signal.signal(signal.SIGTERM, lambda *a: (print("term", flush=True), sys.exit(0)))' });
  await cold('down');
  const text = await until(async () => {
    const all = await log('down');
    return /ms left/.test(all) && /quick got SHUTDOWN/.test(all) && all;
  }, 'the end in the log');
  assert.match(text, /term\n[^]*quick got SHUTDOWN spindown\n/);
  assert.ok(Number(/(\d+) ms left/.exec(text)[1]) <= 2000, text);
  await until(() => !lk.payloads.some((pid) => /extensions\/stubborn/.test(read(`/proc/${pid}/cmdline`))), 'all to be gone');
});

test('an extension that exits fails the init or the invocation', async () => {
  const start = make('crash1', { x: { start: 'sys.exit(3)' } });
  const init = make('crash2', { x: { init: 'os.kill(os.getpid(), 9)' } });
  const run = make('crash3', { x: { INVOKE: 'sys.exit(0)' } });
  const posts = make('crash4', { x: { init: 'print(call("POST", "/init/error", "{}", {**ME, "Lambda-Extension-Function-Error-Type": "Extension.Mine"}), flush=True)\nsys.exit(1)' } });
  const exits = make('crash5', { x: { INVOKE: 'call("POST", "/exit/error", "{}", {**ME, "Lambda-Extension-Function-Error-Type": "Extension.Mine"})\nsys.exit(2)' } });
  const launch = make('crash6', {}, { files: { 'extensions/x': { data: PUPPET_EXTENSION, mode: 0o100644 } } });
  await Promise.all([start, init, run, posts, exits, launch]);
  const want = {
    crash1: ['Extension.Crash', 'exit status 3', 'State: Started\tEvents: []'],
    crash2: ['Extension.Crash', 'signal: killed', 'State: Registered\tEvents: [INVOKE, SHUTDOWN]'],
    crash3: ['Extension.Crash', 'exit code 0', 'State: Ready\tEvents: [INVOKE, SHUTDOWN]'],
    crash4: ['Extension.InitError', 'exit status 1', 'State: InitError\tEvents: [INVOKE, SHUTDOWN]\tError Type: Extension.Mine'],
    crash5: ['Extension.ExitError', 'exit status 2', 'State: Ready\tEvents: [INVOKE, SHUTDOWN]'],
    crash6: ['Extension.LaunchError', 'fork/exec /opt/extensions/x: permission denied', 'State: LaunchError\tEvents: []\tError Type: PermissionDenied'],
  };
  await Promise.all(Object.entries(want).map(async ([name, [type, text, line]]) => {
    const answer = await lk.invoke(name, { code: 'time.sleep(5)' });
    assert.equal(answer.error, 'Unhandled', `${name}: ${answer.text}`);
    assert.deepEqual(answer.json, { errorType: type, errorMessage: `RequestId: ${answer.headers['x-amzn-requestid']} Error: ${text}` });
    assert.match(answer.tail, new RegExp(`Status: error\tError Type: ${type}`), name);
    const all = await log(name);
    assert.ok(all.includes(`EXTENSION\tName: x\t${line}\n`), `${name}: ${all}`);
    if (type !== 'Extension.Crash' || name === 'crash1' || name === 'crash2') return;
    assert.match(all, new RegExp(`RequestId: [-0-9a-f]+ Error: ${text}\n${type}`));
  }));
});

test('SHUTDOWN: timeout and failure; the next event starts them anew in the same environment', async () => {
  const note = 'open("/tmp/%s" % event["shutdownReason"], "w").close()';
  await make('reset', { x: { SHUTDOWN: note } }, { more: { Timeout: 3 } });
  const late = await lk.invoke('reset', { code: 'time.sleep(9)' });
  assert.deepEqual(late.json, { errorType: 'Sandbox.Timedout',
    errorMessage: `RequestId: ${late.headers['x-amzn-requestid']} Error: Task timed out after 3.00 seconds` });
  const again = `result = [os.path.exists("/tmp/timeout"), os.path.exists("/tmp/failure"), G["calls"]]`;
  await until(async () => /timeout/.test(await log('reset')), 'the reset');
  const results = [];
  await until(async () => {
    results.push(await lk.call('reset', { code: again }));
    return results.at(-1)[0];
  }, 'the environment that was reset');
  const crash = await lk.invoke('reset', { code: 'os._exit(7)' });
  assert.equal(crash.json.errorType, 'Runtime.ExitError');
  await until(async () => /x got SHUTDOWN failure/.test(await log('reset')), 'failure in the log');
});

test('an internal extension: INVOKE from the handler\'s process, no others after the init', async () => {
  await lk.create('inner', { 'app.py': `
import http.client, json, os, signal, sys, threading
def call(method, path, body=None, headers={}):
    c = http.client.HTTPConnection(*os.environ["AWS_LAMBDA_RUNTIME_API"].split(":"))
    c.request(method, "/2020-01-01/extension" + path, body, headers)
    r = c.getresponse()
    return r.status, dict(r.getheaders()), json.loads(r.read())
status, headers, welcome = call("POST", "/register", '{"events": ["INVOKE"]}', {"Lambda-Extension-Name": "inner"})
shut = call("POST", "/register", '{"events": ["SHUTDOWN"]}', {"Lambda-Extension-Name": "shut"})
ME = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
got = []
came = threading.Condition()
def loop():
    while True:
        event = call("GET", "/event/next", None, ME)[2]
        with came:
            got.append(event)
            came.notify()
threading.Thread(target=loop, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *a: (print("term", flush=True), sys.exit(0)))
def handler(event, context):
    with came:
        came.wait_for(lambda: got and got[-1]["requestId"] == context.aws_request_id)
    late = call("POST", "/register", "{}", {"Lambda-Extension-Name": "late"})
    return [welcome, shut[::2], late[::2], len(got), got[-1]["eventType"]]
` });
  const error = (errorType, errorMessage) => [403, { errorMessage, errorType }];
  for (const n of [1, 2]) {
    assert.deepEqual(await lk.call('inner', {}), [{ functionName: 'inner', functionVersion: '$LATEST', handler: 'app.handler' },
      error('Extension.InvalidEventType', 'SHUTDOWN: ShutdownEventNotSupportedForInternalExtension'),
      error('Extension.RegistrationClosed', 'Extension registration closed already'), n, 'INVOKE']);
  }
  await cold('inner');
  await until(async () => /term/.test(await log('inner')), 'SIGTERM');
  assert.match(await log('inner'), /EXTENSION\tName: inner\tState: Ready\tEvents: \[INVOKE\]\n/);
});

test('one that dies after the answer: the answer stands, the invocation is an error', async () => {
  await make('after', { x: { INVOKE: 'time.sleep(0.1)\nos._exit(0)' } });
  await lk.invoke('after', { code: 'result = 1' }, { 'X-Amz-Log-Type': 'None' }).then((answer) => assert.deepEqual([answer.error, answer.json], [undefined, 1]));
  await until(async () => /REPORT .*Status: error\tError Type: Extension.Crash\n/.test(await log('after')), 'the crash in the log');
});

test('the example in bash; too many extensions', async () => {
  const script = fs.readFileSync(path.join(TOP, 'examples/extension-bash/extensions/watch'));
  await make('example', {}, { files: { 'extensions/watch': script } });
  assert.deepEqual(await lk.call('example', { code: 'result = 1' }), 1);
  await cold('example');
  await until(async () => /watch: the environment ends: spindown/.test(await log('example')), 'its last words');
  assert.match(await log('example'), /watch: invocation [0-9a-f-]{36}\n/);
  await make('many', Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`x${i}`, {}])));
  const answer = await lk.invoke('many', { code: '' });
  assert.deepEqual([answer.json.errorType, /Error: (.*)/.exec(answer.json.errorMessage)[1]], ['Extension.LaunchError', 'Extension limit (10) reached']);
});
