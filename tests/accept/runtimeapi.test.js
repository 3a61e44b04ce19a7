/* The Runtime API as a custom runtime sees it: state machine, error bodies, bodies of all kinds. */
'use strict';
const assert = require('node:assert/strict');
const { test, before, after } = require('node:test');
const { Lambkin, ACCOUNT, REGION } = require('./lib/lambkin');

/* Runs the event's code between next and response: `call(method, path, body, headers)` and `raw(bytes)` speak to the
 * Runtime API; `answer(value)` responds; INIT runs before the first next. Results of earlier calls are in LOG. */
const BOOTSTRAP = `#!/usr/bin/python3
import http.client, json, os, socket, sys, time
HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
BASE = "/2018-06-01/runtime"
LOG = []
def connection():
    return http.client.HTTPConnection(HOST, int(PORT))
def call(method, path, body=None, headers={}, base=BASE, **more):
    c = connection()
    c.request(method, base + path, body, headers, **more)
    r = c.getresponse()
    data = r.read()
    c.close()
    return r.status, dict(r.getheaders()), data.decode("utf-8", "replace")
def raw(data, more=b"", wait=True):
    s = socket.create_connection((HOST, int(PORT)))
    s.sendall(data + more)
    got = b""
    s.settimeout(3)
    try:
        while wait:
            part = s.recv(65536)
            if not part:
                break
            got += part
    except (TimeoutError, ConnectionError) as e:
        got += repr(e).encode()
    s.close()
    return got.decode("latin1")
exec(os.environ.get("INIT", ""))
while True:
    status, headers, text = call("GET", "/invocation/next")
    low = {k.lower(): v for k, v in headers.items()}
    ID = low.get("lambda-runtime-aws-request-id")
    event = json.loads(text)
    done = []
    def answer(value, headers={}):
        done.append(1)
        return call("POST", "/invocation/%s/response" % ID, value if isinstance(value, (str, bytes)) else json.dumps(value), headers)
    scope = {**globals(), "result": None}
    try:
        exec(event.get("code", ""), scope)
    except BaseException as e:
        scope["result"] = "exception: %r" % e
    if not done:
        answer(scope["result"])
`;
const custom = { runtime: 'provided.al2023', handler: 'x.y', Timeout: 10 };
let lk;

before(async () => {
  lk = await Lambkin.start();
  await lk.create('rt', { bootstrap: BOOTSTRAP }, custom);
});
after(() => lk.stop());

const run = (code, headers) => lk.call('rt', { code }, headers);
const error = (message, type) => ({ errorMessage: message, errorType: type });

test('next: headers and body', async () => {
  const event = { code: 'result = [status, low, text]' };
  const answer = await lk.invoke('rt', event, { 'X-Amz-Client-Context': Buffer.from('{"custom":{"a":"b"}}').toString('base64') });
  const [status, headers, text] = answer.json;
  assert.equal(status, 200);
  assert.equal(text, JSON.stringify(event));
  assert.equal(headers['lambda-runtime-aws-request-id'], answer.headers['x-amzn-requestid']);
  assert.equal(headers['lambda-runtime-invoked-function-arn'], `arn:aws:lambda:${REGION}:${ACCOUNT}:function:rt`);
  assert.match(headers['lambda-runtime-trace-id'], /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0/);
  assert.equal(headers['lambda-runtime-client-context'], '{"custom":{"a":"b"}}');
  assert.equal(headers['lambda-runtime-cognito-identity'], undefined);
  assert.equal(headers['content-type'], 'application/json');
  const left = Number(headers['lambda-runtime-deadline-ms']) - Date.now();
  assert.ok(left > 5000 && left <= 10000, `${left} ms left`);
});

test('ping, unknown paths, wrong methods', async () => {
  const got = await run('result = [call("GET", "/ping", base="/2018-06-01")[::2], call("GET", "/nothing")[0], '
    + 'call("GET", "/", base="/2030-01-01")[0], call("POST", "/invocation/next")[0], call("DELETE", "/init/error")[0], '
    + 'call("GET", "/restore/next")[0]]');
  assert.deepEqual(got, [[200, 'pong'], 404, 404, 405, 405, 404]);
});

test('next again while an event is outstanding gives the same event', async () => {
  const code = 's, h, t = call("GET", "/invocation/next")\nresult = [s, {k.lower(): v for k, v in h.items()}["lambda-runtime-aws-request-id"] == ID, t == text]';
  assert.deepEqual(await run(code), [200, true, true]);
});

test('response: wrong id, second answer, then next', async () => {
  const got = await run('a = [call("POST", "/invocation/x/response", "1"), call("POST", "/invocation/00000000-0000-4000-8000-000000000000/error", "{}")]\n'
    + 'b = answer("5")\nc = call("POST", "/invocation/%s/response" % ID, "6")\nd = call("POST", "/invocation/%s/error" % ID, "{}")\n'
    + 'e = call("POST", "/init/error", "{}")\nLOG[:] = [a, b, c, d, e]');
  assert.equal(got, 5);
  const [a, b, c, d, e] = await run('result = LOG');
  for (const one of a) {
    assert.equal(one[0], 400);
    assert.deepEqual(JSON.parse(one[2]), error('Invalid request ID', 'InvalidRequestID'));
  }
  assert.equal(b[0], 202);
  assert.deepEqual(JSON.parse(b[2]), { status: 'OK' });
  const transition = (from, to) => error(`State transition from ${from} to ${to} failed for runtime. Error: State transition is not allowed`,
    'InvalidStateTransition');
  assert.equal(c[0], 403);
  assert.deepEqual(JSON.parse(c[2]), transition('RuntimeResponseSentState', 'InvocationResponse'));
  assert.equal(d[0], 403);
  assert.deepEqual(JSON.parse(d[2]), transition('RuntimeResponseSentState', 'InvocationErrorResponse'));
  assert.equal(e[0], 403);
  assert.deepEqual(JSON.parse(e[2]), transition('RuntimeResponseSentState', 'InitError'));
  const while_running = await run('result = call("POST", "/init/error", "{}")');
  assert.deepEqual([while_running[0], JSON.parse(while_running[2])], [403, transition('Running', 'InitError')]);
});

test('before the first next', async () => {
  await lk.create('early', { bootstrap: BOOTSTRAP }, { ...custom, env: { INIT:
    'LOG += [call("POST", "/invocation/x/response", "1"), call("POST", "/invocation/x/error", "1")]' } });
  for (const [status, , text] of await lk.call('early', { code: 'result = LOG' })) {
    assert.equal(status, 400);
    assert.deepEqual(JSON.parse(text), error('Invalid request ID', 'InvalidRequestID'));
  }
});

test('init/error: body becomes the payload; nothing is legal afterwards', async () => {
  await lk.create('init-error', { bootstrap: BOOTSTRAP }, { ...custom, env: { INIT:
    'r = call("POST", "/init/error", json.dumps({"errorMessage": "no", "errorType": "Mine"}), {"Lambda-Runtime-Function-Error-Type": "Function.Mine"})\n'
    + 'n = call("GET", "/invocation/next")\nprint(r[0], r[2].strip(), n[0], n[2].strip())\nsys.exit(4)' } });
  const answer = await lk.invoke('init-error', {});
  assert.deepEqual([answer.status, answer.error, answer.json], [200, 'Unhandled', error('no', 'Mine')]);
  assert.match(answer.tail, /Status: error\tError Type: (Function\.Mine|Runtime\.ExitError)/); /* both are on record */
  const { CloudWatchLogsClient, FilterLogEventsCommand } = require('@aws-sdk/client-cloudwatch-logs');
  const logs = new CloudWatchLogsClient({ endpoint: lk.endpoint, region: REGION, credentials: { accessKeyId: 'any', secretAccessKey: 'any' } });
  const { events } = await logs.send(new FilterLogEventsCommand({ logGroupName: '/aws/lambda/init-error' }));
  const text = events.map((e) => e.message).join('');
  assert.match(text, /202 \{"status":"OK"\} 403 \{"errorMessage":"State transition from InitError to Ready failed for runtime\. Error: State transition is not allowed","errorType":"InvalidStateTransition"\}/);
  assert.match(text, /INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: init\tStatus: error\tError Type: (Function\.Mine|Runtime\.ExitError)\n/);
  assert.match(text, /INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: invoke\tStatus: error\tError Type: (Function\.Mine|Runtime\.ExitError)\n/);
  logs.destroy();
});

test('exit in init without a word; exit codes and signals', async () => {
  for (const [name, init, text] of [['exit-3', 'sys.exit(3)', 'Runtime exited with error: exit status 3'],
    ['exit-0', 'sys.exit(0)', 'Runtime exited without providing a reason'],
    ['exit-kill', 'os.kill(os.getpid(), 9)', 'Runtime exited with error: signal: killed']]) {
    await lk.create(name, { bootstrap: BOOTSTRAP }, { ...custom, env: { INIT: init } });
    const answer = await lk.invoke(name, {});
    assert.equal(answer.text, `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ${answer.headers['x-amzn-requestid']} Error: ${text}"}`);
    assert.equal(answer.error, 'Unhandled');
  }
});

test('response modes', async () => {
  const bad = await lk.invoke('rt', { code: 'LOG[:] = [answer("5", {"Lambda-Runtime-Function-Response-Mode": "other"})]' });
  assert.equal(bad.error, 'Unhandled');
  assert.equal(bad.text, '');
  const [[status, , text]] = await run('result = LOG');
  assert.deepEqual([status, JSON.parse(text)], [400, error('Invalid function response mode', 'InvalidFunctionResponseMode')]);
  assert.equal((await lk.invoke('rt', { code: 'answer("[5]", {"Lambda-Runtime-Function-Response-Mode": "streaming"})' })).text, '[5]',
    'a stream for a caller that wants it whole');
});

test('chunked bodies, trailers, no JSON, any bytes', async () => {
  const chunked = (body, headers = '', trailers = '') => 'done.append(1)\nraw(("""POST /2018-06-01/runtime/invocation/%s/response '
    + `HTTP/1.1\\r\\nHost: x\\r\\n${headers}Transfer-Encoding: chunked\\r\\nConnection: close\\r\\n\\r\\n${body}0\\r\\n${trailers}\\r\\n""" % ID).encode())`;
  assert.equal((await lk.invoke('rt', { code: chunked('3\\r\\n"a\\n\\r\\n2\\r\\nb"\\r\\n') })).text, '"a\nb"');
  const announce = 'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\\r\\n';
  assert.equal((await lk.invoke('rt', { code: chunked('1\\r\\n7\\r\\n', announce) })).text, '7');
  const body = Buffer.from('{"errorMessage":"late","errorType":"T"}').toString('base64');
  const late = await lk.invoke('rt', { code: chunked('1\\r\\n7\\r\\n', announce,
    `Lambda-Runtime-Function-Error-Type: Function.T\\r\\nLambda-Runtime-Function-Error-Body: ${body}\\r\\n`) });
  assert.equal(late.error, 'Unhandled');
  assert.deepEqual(late.json, error('late', 'T'));
  const bytes = await lk.invoke('rt', { code: 'answer(bytes(range(256)))' });
  assert.deepEqual(bytes.body, Buffer.from(Array.from({ length: 256 }, (_, i) => i)));
  assert.equal((await lk.invoke('rt', { code: 'answer("")' })).text, '');
  assert.equal((await lk.invoke('rt', { code: 'answer("not json")' })).text, 'not json');
});

test('too large: 413 to the runtime, the environment goes on', async () => {
  const answer = await lk.invoke('rt', { code: 'LOG[:] = [answer(b"x" * 6291557)]' });
  assert.equal(answer.text, '{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}');
  const [[status, , text]] = await run('result = LOG');
  assert.deepEqual([status, JSON.parse(text)], [413, error('Exceeded maximum allowed payload size (6291556 bytes).', 'RequestEntityTooLarge')]);
  assert.equal((await lk.invoke('rt', { code: 'answer(b"x" * 6291556)' })).body.length, 6291556);
});

test('cut off in the middle of the body', async () => {
  const answer = await lk.invoke('rt', { code: 'done.append(1)\nraw(("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\\r\\nHost: x\\r\\n'
    + 'Content-Length: 100\\r\\n\\r\\n12345" % ID).encode(), wait=False)' });
  assert.equal(answer.error, 'Unhandled');
  assert.equal(answer.json.errorType, 'Runtime.TruncatedResponse', answer.text);
  assert.equal(await run('result = 1'), 1);
});

test('a large answer for nobody, many connections, a long cause, long trailers', async () => {
  const large = await run('a = call("POST", "/invocation/x/response", b"x" * 6000000)\nanswer("1")\n'
    + 'LOG[:] = [a, call("POST", "/invocation/%s/response" % ID, b"x" * 6000000)]');
  assert.equal(large, 1);
  const [nobody, second] = await run('result = LOG');
  assert.deepEqual([nobody[0], JSON.parse(nobody[2])], [400, error('Invalid request ID', 'InvalidRequestID')]);
  assert.equal(second[0], 403);
  const cause = await lk.invoke('rt', { code: 'done.append(1)\ncall("POST", "/invocation/%s/error" % ID, \'{"errorMessage":"m","errorType":"T"}\', '
    + '{"Lambda-Runtime-Function-XRay-Error-Cause": "x" * 900000})' });
  assert.deepEqual(cause.json, error('m', 'T'));
  const text = JSON.stringify(error('late '.repeat(10000), 'T'));
  const trailer = await lk.invoke('rt', { code: 'import base64\ndone.append(1)\n'
    + `b = base64.b64encode(json.dumps({"errorMessage": "late " * 10000, "errorType": "T"}, separators=(",", ":")).encode()).decode()\n`
    + 'raw(("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\nConnection: close\\r\\n'
    + 'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\\r\\n\\r\\n1\\r\\n7\\r\\n0\\r\\n'
    + 'Lambda-Runtime-Function-Error-Type: Function.T\\r\\nLambda-Runtime-Function-Error-Body: %s\\r\\n\\r\\n" % (ID, b)).encode())' });
  assert.equal(trailer.text, text);
  const many = await run('s = [socket.create_connection((HOST, int(PORT))) for i in range(100)]\nn = 0\nfor one in s[16:]:\n    one.settimeout(3)\n'
    + '    try:\n        n += one.recv(1) == b""\n    except ConnectionError:\n        n += 1\nfor one in s: one.close()\nfor _ in range(500):\n'
    + '    try:\n        answer(n)\n        break\n    except OSError: time.sleep(0.01)');
  assert.ok(many >= 84, `${many} of 84 closed at once`);
  assert.equal(await run('result = 7'), 7);
});

test('connections of a runtime that is dead are not the next one\'s', async () => {
  await lk.create('stale', { bootstrap: BOOTSTRAP }, { ...custom, Timeout: 1 });
  for (let round = 0; round < 3; round++) {
    const lost = await lk.invoke('stale', { code: 'import threading\ndef late():\n    while True:\n        try:\n            s = socket.create_connection((HOST, int(PORT)))\n'
      + '            s.sendall(b"POST /2018-06-01/runtime/init/error HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\n\\r\\n{}")\n            time.sleep(0.001)\n'
      + '        except OSError: pass\nthreading.Thread(target=late, daemon=True).start()\ntime.sleep(5)' });
    assert.match(lost.text, /timed out/);
    assert.equal(await lk.call('stale', { code: 'result = 8' }), 8);
  }
});

test('300 variables', async () => {
  const env = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`A${i}`, '1']));
  await lk.create('variables', { bootstrap: BOOTSTRAP }, { ...custom, env });
  assert.equal(await lk.call('variables', { code: 'result = len([k for k in os.environ if k[0] == "A" and k[1:].isdigit()])' }), 300);
});

test('error types in the log', async () => {
  const send = (type) => lk.invoke('rt', { code: `done.append(1)\ncall("POST", "/invocation/%s/error" % ID, '{"a":1}', {"Lambda-Runtime-Function-Error-Type": "${type}"})` });
  for (const type of ['Function.Good', 'Runtime.Odd', 'Function.5', 'whatever', '']) {
    const answer = await send(type);
    assert.deepEqual([answer.status, answer.error, answer.text], [200, 'Unhandled', '{"a":1}']);
  }
  assert.equal(await run('result = 1'), 1);
});

test('hostile requests on the Runtime API hurt nobody', async () => {
  for (const bytes of ['"x" * 1200000', '"GET / HTTP/1.1\\r\\n\\r\\n"', '"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n" + "A: b\\r\\n" * 300000',
    '"POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1\\r\\nContent-Length: 2\\r\\n\\r\\n12" % ID',
    '"POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n" % ID',
    '"POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 99999999999999999999\\r\\n\\r\\n" % ID',
    '"GET /" + "a" * 1200000 + " HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"', '"\\x00\\x01\\x02\\r\\n\\r\\n"', '"GET /ping HTTP/1.1\\nHost: x\\n\\n"']) {
    const got = (await lk.invoke('rt', { code: `result = raw((${bytes}).encode("latin1"))` })).text;
    assert.ok(got === '' || /^HTTP\/1\.1 (4\d\d|5\d\d)/.test(got) || /Connection|Broken/.test(got), `${bytes.slice(0, 60)}: ${got.slice(0, 200)}`);
  }
  assert.equal(await run('result = 2'), 2);
  const flood = await run('s = [connection() for _ in range(500)]\nfor c in s:\n    try: c.connect()\n    except OSError: pass\nfor c in s: c.close()\nfor _ in range(500):\n    try:\n        answer("500")\n        break\n    except OSError: time.sleep(0.01)');
  assert.equal(flood, 500);
  assert.equal(await run('result = 3'), 3);
});

test('port 9001 belongs to lambkin, also with REUSEPORT', async () => {
  const got = await run('result = []\nfor host in ("0.0.0.0", "169.254.100.1"):\n'
    + '    for opt in (0, socket.SO_REUSEADDR, socket.SO_REUSEPORT):\n        s = socket.socket()\n'
    + '        try:\n            if opt: s.setsockopt(socket.SOL_SOCKET, opt, 1)\n            s.bind((host, 9001)); s.listen(); result.append([host, opt])\n'
    + '        except OSError as e:\n            pass');
  assert.deepEqual(got, []);
});

test('next is polled twice at once: one gets the event', async () => {
  await lk.create('twice', { bootstrap: BOOTSTRAP.replace('while True:', `
import threading
def extra():
    raw(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
while True:`) }, { ...custom, Timeout: 1 });
  assert.equal(await lk.call('twice', { code: 'answer("1")\nthreading.Thread(target=extra, daemon=True).start()' }), 1);
  for (let i = 0; i < 3; i++) {
    const answer = await lk.invoke('twice', { code: 'result = "got"' }, {}, { timeout: 20000 });
    assert.equal(answer.status, 200);
  }
});
