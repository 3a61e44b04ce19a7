/* Responses in pieces, from the function's write to the invoker's read: InvokeWithResponseStream and what a runtime does on
 * POST .../response in streaming mode (dataplane.md 1.4, 1.6, 4.7). */
'use strict';
const assert = require('node:assert/strict');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { test, before, after } = require('node:test');
const { LambdaClient, InvokeWithResponseStreamCommand } = require('@aws-sdk/client-lambda');
const { decode, Reader } = require('./lib/eventstream');
const { Lambkin, BUILD, cleanEnv, until, sleep, read } = require('./lib/lambkin');

/* Runs the event's code: `Stream(headers)` posts a response piece by piece. */
const BOOTSTRAP = `#!/usr/bin/python3
import base64, http.client, json, os, socket, sys, time
HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
MODE = "Lambda-Runtime-Function-Response-Mode: "
STREAMING = [MODE + "streaming", "Content-Type: text/x"]
class Stream:
    def __init__(self, headers=STREAMING, id=None):
        self.s = socket.create_connection((HOST, int(PORT)))
        self.s.sendall(("\\r\\n".join(["POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1" % (id or ID), "Host: x",
            "Transfer-Encoding: chunked", "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
            *headers]) + "\\r\\n\\r\\n").encode())
    def write(self, data):
        data = data.encode() if isinstance(data, str) else data
        self.s.sendall(b"%x\\r\\n" % len(data) + data + b"\\r\\n")
    def end(self, trailers=[]):
        self.s.sendall(("".join("%s\\r\\n" % t for t in ["0", *trailers]) + "\\r\\n").encode())
        return self.answer()
    def fail(self, type, document):
        return self.end(["Lambda-Runtime-Function-Error-Type: " + type,
            "Lambda-Runtime-Function-Error-Body: " + base64.b64encode(document.encode()).decode()])
    def answer(self):
        r = http.client.HTTPResponse(self.s)
        r.begin()
        return r.status, r.read().decode()
    def cut(self):
        self.s.shutdown(socket.SHUT_WR)
        return self.answer()
def get(path):
    c = http.client.HTTPConnection(HOST, int(PORT))
    c.request("GET", "/2018-06-01/runtime" + path)
    r = c.getresponse()
    return r.getheader("Lambda-Runtime-Aws-Request-Id"), r.read()
def post(what, body):
    c = http.client.HTTPConnection(HOST, int(PORT))
    c.request("POST", "/2018-06-01/runtime/invocation/%s/%s" % (ID, what), body)
    return c.getresponse().status
while True:
    ID, text = get("/invocation/next")
    LAST = None
    exec(json.loads(text)["code"])
    print("LAST " + json.dumps(LAST), flush=True)
`;
const custom = { runtime: 'provided.al2023', handler: 'x.y', Timeout: 20 };

let lk;
let client;

before(async () => {
  lk = await Lambkin.start({ flags: ['--stream-bytes', String(8 << 20)] });
  client = new LambdaClient({ endpoint: lk.endpoint, region: 'us-east-1', maxAttempts: 1, credentials: { accessKeyId: 'any', secretAccessKey: 'any' } });
  await lk.create('raw', { bootstrap: { data: BOOTSTRAP, mode: 0o755 } }, custom);
});

after(async () => {
  client.destroy();
  await lk.stop();
});

const target = (name) => `/2021-11-15/functions/${name}/response-streaming-invocations`;

/* What the runtime saw last: the code has set LAST. */
const lastOf = (tail) => JSON.parse(/^LAST (.*)$/m.exec(tail)[1]);

/* Asks for a stream; answers {status, headers, bytes, payload (text), complete, tail, last}. */
async function stream(name, event) {
  const answer = await lk.request('POST', target(name), JSON.stringify(event), { Authorization: lk.authorization(), 'X-Amz-Log-Type': 'Tail' });
  if (answer.status !== 200) return answer;
  const events = decode(answer.body);
  const bytes = Buffer.concat(events.slice(0, -1).map((e) => e.payload));
  const { LogResult, ...complete } = JSON.parse(events.at(-1).payload);
  const tail = Buffer.from(LogResult, 'base64').toString();
  return { ...answer, bytes, payload: bytes.toString(), complete, tail, last: /^LAST /m.test(tail) && lastOf(tail) };
}

const run = (code) => stream('raw', { code });

test('pieces arrive in order, behind the modelled headers', async () => {
  const answer = await run("s = Stream()\nfor i in range(100): s.write('%d,' % i)\nLAST = s.end()");
  assert.equal(answer.payload, Array.from({ length: 100 }, (_, i) => `${i},`).join(''));
  assert.deepEqual(answer.complete, {});
  assert.equal(answer.headers['x-amz-executed-version'], '$LATEST');
  assert.equal(answer.headers['content-type'], 'application/vnd.amazon.eventstream');
  assert.equal(answer.headers['transfer-encoding'], 'chunked');
  assert.deepEqual(answer.last, [202, '{"status":"OK"}\n']);
});

/* The same of AWS's SDK: {status, version, payload, complete} */
async function bySdk(input) {
  const answer = await client.send(new InvokeWithResponseStreamCommand(input));
  const result = { status: answer.$metadata.httpStatusCode, version: answer.ExecutedVersion, chunks: [], complete: undefined };
  for await (const event of answer.EventStream || []) {
    if (event.PayloadChunk) result.chunks.push(Buffer.from(event.PayloadChunk.Payload));
    if (event.InvokeComplete) result.complete = event.InvokeComplete;
  }
  result.payload = Buffer.concat(result.chunks).toString();
  return result;
}

test("AWS's SDK reads it: pieces, log, errors, a dry run, no function", async () => {
  const of = (code) => ({ FunctionName: 'raw', Payload: JSON.stringify({ code }) });
  const good = await bySdk({ ...of("print('said', flush=True)\ns = Stream()\ns.write('hello ')\ns.write('world')\ns.end()"), LogType: 'Tail' });
  assert.equal(good.payload, 'hello world');
  assert.equal(good.version, '$LATEST');
  assert.equal(good.complete.ErrorCode, undefined);
  assert.match(Buffer.from(good.complete.LogResult, 'base64').toString(), /^START [^]*said\n[^]*\nREPORT /);
  const failed = await bySdk(of("s = Stream()\ns.write('half')\ns.fail('Function.Broke', json.dumps({'errorMessage': 'it broke'}))"));
  assert.equal(failed.payload, 'half');
  assert.equal(failed.complete.ErrorCode, 'Unhandled');
  assert.deepEqual(JSON.parse(failed.complete.ErrorDetails), { errorMessage: 'it broke' });
  assert.equal((await bySdk({ ...of(''), InvocationType: 'DryRun' })).status, 204);
  await assert.rejects(bySdk({ ...of(''), FunctionName: 'nobody' }), { name: 'ResourceNotFoundException' });
  await assert.rejects(bySdk({ ...of(''), Qualifier: '7' }), { name: 'ResourceNotFoundException' });
  await assert.rejects(bySdk({ FunctionName: 'raw', Payload: 'no json' }), { name: 'InvalidRequestContentException' });
  await assert.rejects(bySdk({ ...of(''), ClientContext: 'MQ==' }), { name: 'InvalidRequestContentException' });
});

test("Node.js's own: streamifyResponse, from CommonJS and from a module, with a prelude, errors and nothing at all", async () => {
  const cjs = `
    const { pipeline } = require('node:stream/promises');
    exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
      if (event.prelude) stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' } });
      else stream.setContentType('text/plain');
      if (event.early) throw new RangeError('early');
      stream.write(context.functionName);
      if (event.late) throw new RangeError('late');
      if (event.never) return;
      await pipeline(async function* () { yield ' one'; yield ' two'; }, stream);
    });`;
  const esm = `
    const word = await Promise.resolve('awaited');
    export const handler = awslambda.streamifyResponse(async (event, stream) => { stream.write(word); stream.end(); });`;
  await Promise.all([lk.create('cjs', { 'index.js': cjs }, { runtime: 'nodejs20.x', handler: 'index.handler' }),
    lk.create('esm', { 'index.mjs': esm }, { runtime: 'nodejs20.x', handler: 'index.handler' })]);
  const good = await stream('cjs', {});
  assert.equal(good.payload, 'cjs one two');
  assert.deepEqual(good.complete, {});
  const prelude = await stream('cjs', { prelude: true });
  assert.equal(prelude.payload, '{"statusCode":201,"headers":{"a":"b"}}' + '\0'.repeat(8) + 'cjs one two');
  const early = await stream('cjs', { early: true });
  assert.deepEqual([early.payload, early.complete.ErrorCode, JSON.parse(early.complete.ErrorDetails).errorType], ['', 'Unhandled', 'RangeError']);
  const late = await stream('cjs', { late: true });
  assert.deepEqual([late.payload, late.complete.ErrorCode, JSON.parse(late.complete.ErrorDetails).errorType], ['cjs', 'Unhandled', 'RangeError']);
  const never = await stream('cjs', { never: true });
  assert.match(JSON.parse(never.complete.ErrorDetails).errorMessage, /Response stream is not finished/);
  assert.equal((await stream('esm', {})).payload, 'awaited');
  assert.equal((await lk.invoke('esm', {})).text, 'awaited', 'who asks for a buffered answer gets it, too');
});

test('a buffered answer is streamed, whatever its size, and so is an error', async () => {
  assert.equal((await run("post('response', '\"short\"')")).payload, '"short"');
  assert.equal((await run("post('response', '')")).payload, '');
  const large = await run("post('response', b'x' * 6291556)");
  assert.equal(large.bytes.length, 6291556);
  assert.deepEqual(large.complete, {});
  const over = await run("LAST = post('response', b'x' * 6291557)");
  assert.equal(over.payload, '');
  assert.match(over.complete.ErrorDetails, /maximum allowed payload size \(6291556 bytes\)/);
  const failed = await run("post('error', '{\"errorMessage\": \"no\"}')");
  assert.deepEqual(failed.complete, { ErrorCode: 'Unhandled', ErrorDetails: '{"errorMessage": "no"}' });
  assert.equal(failed.payload, '');
});

test('who asks for a buffered answer gets what was streamed, up to 6 MB', async () => {
  const good = await lk.invoke('raw', { code: "s = Stream()\ns.write('[1')\ns.write(',2]')\ns.end()" });
  assert.deepEqual([good.json, good.error], [[1, 2], undefined]);
  const failed = await lk.invoke('raw', { code: "s = Stream()\ns.write('half')\ns.fail('Function.Broke', '{\"errorMessage\": \"b\"}')" });
  assert.deepEqual([failed.json, failed.error], [{ errorMessage: 'b' }, 'Unhandled']);
  const over = await lk.invoke('raw', { code: "s = Stream()\ntry:\n  for i in range(100): s.write(b'x' * 65536)\nexcept OSError: pass\nLAST = s.answer()" });
  assert.equal(over.json.errorType, 'Function.ResponseSizeTooLarge');
  assert.equal(lastOf(over.tail)[0], 413);
});

test("the Go client's way: chunked, with trailers announced, without the mode", async () => {
  const good = await run("s = Stream(['Content-Type: application/json'])\ns.write('{\"a\":1}')\ns.end()");
  assert.equal(good.payload, '{"a":1}');
  const failed = await run("s = Stream([])\ns.write('half')\ns.fail('Runtime.Broke', '{\"errorMessage\": \"b\"}')");
  assert.deepEqual(failed.complete, { ErrorCode: 'Unhandled', ErrorDetails: '{"errorMessage": "b"}' });
  assert.equal(failed.payload, '', 'not streamed: the error replaces what came before');
});

test('a wrong mode, a wrong id, a second answer', async () => {
  const mode = await run("s = Stream([MODE + 'Streaming'])\ns.write('x')\nLAST = s.end()");
  assert.deepEqual([mode.payload, mode.complete.ErrorCode, mode.complete.ErrorDetails], ['', 'Unhandled', '']);
  assert.deepEqual(mode.last, [400, '{"errorMessage":"Invalid function response mode","errorType":"InvalidFunctionResponseMode"}\n']);
  const id = await run("s = Stream(id='other')\ns.write('x')\nLAST = s.end()\npost('response', '1')");
  assert.equal(id.payload, '1');
  assert.deepEqual(id.last, [400, '{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}\n']);
  const twice = await run("s = Stream()\ns.write('x')\nt = Stream()\nt.write('y')\nLAST = t.end()\ns.write('z')\ns.end()");
  assert.equal(twice.payload, 'xz');
  assert.equal(twice.last[0], 403);
});

test('a body that ends early, and one that is malformed', async () => {
  const cut = await run("s = Stream()\ns.write('half')\nLAST = s.cut()");
  assert.equal(cut.payload, 'half');
  assert.equal(JSON.parse(cut.complete.ErrorDetails).errorType, 'Runtime.TruncatedResponse');
  assert.deepEqual(cut.last, [400, '{"errorMessage":"HTTP request detected as truncated","errorType":"TruncatedHTTPRequest"}\n']);
  const bad = await run("s = Stream()\ns.write('half')\ntime.sleep(0.05)\ns.s.sendall(b'xyz\\r\\n')\nLAST = s.answer()");
  assert.equal(bad.payload, 'half');
  assert.equal(JSON.parse(bad.complete.ErrorDetails).errorType, 'Runtime.TruncatedResponse');
  assert.equal(bad.last[0], 400);
});

test('a stream over its limit', async () => {
  const over = await run("s = Stream()\ntry:\n  for i in range(200): s.write(b'x' * 65536)\nexcept OSError: pass\nLAST = s.answer()");
  assert.ok(over.bytes.length <= 8 << 20 && over.bytes.length > (8 << 20) - (1 << 20), `${over.bytes.length}`);
  assert.deepEqual(JSON.parse(over.complete.ErrorDetails), { errorType: 'Function.ResponseSizeTooLarge',
    errorMessage: 'Response payload size exceeded maximum allowed payload size (8388608 bytes).' });
  assert.deepEqual(over.last, [413, '{"errorMessage":"Exceeded maximum allowed payload size (8388608 bytes).","errorType":"RequestEntityTooLarge"}\n']);
  assert.equal((await run(`s = Stream()\nfor i in range(128): s.write(b'x' * 65536)\ns.end()`)).bytes.length, 8 << 20);
});

test('a crash in the middle, and a timeout', async () => {
  const crash = await run("s = Stream()\ns.write('half')\ntime.sleep(0.1)\nos._exit(3)");
  assert.equal(crash.payload, 'half');
  assert.equal(crash.complete.ErrorCode, 'Unhandled');
  assert.deepEqual(JSON.parse(crash.complete.ErrorDetails).errorType, 'Runtime.ExitError');
  await lk.configure('raw', { Timeout: 1 });
  try {
    const slow = await run("s = Stream()\ns.write('half')\ntime.sleep(60)");
    assert.equal(slow.payload, 'half');
    assert.match(JSON.parse(slow.complete.ErrorDetails).errorMessage, /Task timed out after 1.00 seconds/);
  } finally {
    await lk.configure('raw', { Timeout: 20 });
  }
  assert.equal((await run("post('response', '1')")).payload, '1');
});

/* Opens the stream and answers {req, res, next(), resume}: next() waits for one event. */
function open(name, event, agent) {
  return new Promise((done, fail) => {
    const req = http.request({ host: '127.0.0.1', port: lk.port, method: 'POST', path: target(name), agent,
      headers: { Authorization: lk.authorization() } }, (res) => {
      const reader = new Reader();
      const events = [];
      res.on('error', () => {});
      res.on('data', (d) => { events.push(...reader.push(d)); });
      done({ req, res, next: () => until(() => events.shift(), 'an event') });
    });
    req.on('error', fail);
    req.end(JSON.stringify(event));
  });
}

test('the first byte comes before the function ends, and each byte for itself', async () => {
  const one = await open('raw', { code: "s = Stream()\nfor i in range(1000):\n  s.write('.')\n  time.sleep(0.001)\ns.write('%d' % (time.time() * 1000))\ns.end()" });
  await one.next();
  const first = Date.now();
  const rest = [];
  for (let event = await one.next(); event.headers[':event-type'] === 'PayloadChunk'; event = await one.next()) rest.push(event);
  assert.ok(rest.length > 100, `${rest.length} pieces`);
  assert.ok(first < Number(rest.at(-1).payload.toString().replace(/\./g, '')), 'while the function was running');
});

test('a client that goes away: the function goes on, its environment stays', async () => {
  await lk.create('left', { bootstrap: { data: BOOTSTRAP, mode: 0o755 } }, custom);
  const one = await open('left', { code: "s = Stream()\nfor i in range(64):\n  s.write(b'x' * 65536)\n  time.sleep(0.005)\nKEPT = [s.end(), os.getpid()]" });
  await one.next();
  one.req.destroy();
  /* not asked before: that would start a second environment */
  await until(async () => (await lk.request('GET', '/_lambkin/health')).json.busy === 0, 'the end of the stream that nobody reads');
  const after = (await lk.invoke('left', { code: "post('response', json.dumps([globals().get('KEPT'), os.getpid()]))" })).json;
  assert.deepEqual(after[0][0], [202, '{"status":"OK"}\n']);
  assert.equal(after[0][1], after[1], 'the same process');
});

test('throttling is told before a stream begins', async () => {
  await lk.create('throttled', { bootstrap: { data: BOOTSTRAP, mode: 0o755 } }, custom);
  assert.equal((await lk.api('PUT', '/2017-10-31/functions/throttled/concurrency', { ReservedConcurrentExecutions: 0 })).status, 200);
  const answer = await stream('throttled', { code: '' });
  assert.equal(answer.status, 429);
  assert.equal(answer.json.Reason, 'ReservedFunctionConcurrentInvocationLimitExceeded');
});

/* Bytes that the daemon has in memory. */
const resident = () => Number(/^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${lk.daemon}/status`))[1]) * 1024;

/* What AddressSanitizer keeps of freed memory, which is none that the daemon holds. */
const QUARANTINE = Number(/quarantine_size_mb=(\d+)/.exec(process.env.ASAN_OPTIONS || '')?.[1] || 0) << 20;

/* Asks for a stream on a connection that is not read until resume(): {socket, bytes (so far), ended} */
function stalled(name, event) {
  const socket = net.connect(lk.port, '127.0.0.1');
  const body = JSON.stringify(event);
  const one = { socket, bytes: 0, end: '' };
  socket.pause();
  socket.on('data', (d) => {
    one.bytes += d.length;
    one.end = (one.end + d.subarray(-400).toString('latin1')).slice(-400);
  });
  socket.on('error', () => {});
  socket.write(`POST ${target(name)} HTTP/1.1\r\nHost: x\r\nAuthorization: ${lk.authorization()}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  return one;
}

const CPU = (pid) => read(`/proc/${pid}/stat`).split(') ')[1].split(' ').slice(11, 13).map(Number).reduce((a, b) => a + b);

test('a slow reader: the function waits, and the daemon holds next to nothing', async () => {
  const big = new Lambkin();
  await big.begin();
  const small = lk;
  lk = big;
  try {
    await lk.create('big', { bootstrap: { data: BOOTSTRAP, mode: 0o755 } }, { ...custom, Timeout: 60 });
    await stream('big', { code: "s = Stream()\nfor i in range(100): s.write(b'x' * 65536)\ns.end()" }); /* what is allocated once */
    const before = resident();
    const one = stalled('big', { code: "s = Stream()\nfor i in range(3200): s.write(b'x' * 65536)\ns.end()" });
    let most = 0;
    for (let used = -1; used !== CPU(lk.daemon); await sleep(200)) { /* until nothing moves any more */
      used = CPU(lk.daemon);
      most = Math.max(most, resident() - before);
    }
    assert.equal(one.bytes, 0);
    one.socket.resume();
    while (!one.end.includes('InvokeComplete')) {
      await sleep(5);
      most = Math.max(most, resident() - before);
    }
    assert.ok(one.bytes > 200 << 20 && one.bytes < 201 << 20, `${one.bytes} bytes`);
    assert.ok(most < (3 << 20) + QUARANTINE, `the daemon grew by ${most} bytes`);
    one.socket.destroy();
  } finally {
    lk = small;
    await big.stop();
  }
});

test('a reader that is stuck holds the environment until the timeout, no longer', async () => {
  await lk.create('stuck', { bootstrap: { data: BOOTSTRAP, mode: 0o755 } }, { ...custom, Timeout: 1 });
  const one = stalled('stuck', { code: "s = Stream()\nwhile True: s.write(b'x' * 65536)" });
  await until(async () => (await lk.request('GET', '/_lambkin/health')).json.busy === 1, 'the function to run');
  await until(async () => (await lk.request('GET', '/_lambkin/health')).json.busy === 0, 'its timeout');
  one.socket.resume();
  await until(() => one.end.includes('InvokeComplete'), 'the last event');
  assert.match(one.end, /Unhandled.*(timed out after 1.00 seconds|ResponseSizeTooLarge)/);
  one.socket.destroy();
});

test('the rate of a stream, behind its burst', async () => {
  const slow = new Lambkin({ flags: ['--stream-rate', '400000', '--stream-burst', '100000'] });
  await slow.begin();
  const fast = lk;
  lk = slow;
  try {
    await lk.create('shaped', { bootstrap: { data: BOOTSTRAP, mode: 0o755 } }, custom);
    const answer = await stream('shaped', { code: "b = time.time()\ns = Stream()\nfor i in range(30): s.write(b'x' * 10000)\ns.end()\nLAST = time.time() - b" });
    assert.equal(answer.bytes.length, 300000);
    /* (300000 - 100000) / 400000, less what is read in one go; AWS's figures only differ in size */
    assert.ok(answer.last > 0.3 && answer.last < 3, `${answer.last} s`);
  } finally {
    lk = fast;
    await slow.stop();
  }
});

test('lambkin invoke --stream prints pieces as they come, and says what went wrong', async () => {
  const code = (text) => JSON.stringify({ code: text });
  const good = await lk.cli(['invoke', 'raw', '--stream', '--tail', '-d', code("s = Stream()\ns.write('one ')\ns.write('two')\ns.end()")]);
  assert.deepEqual([good.code, good.stdout], [0, 'one two\n']);
  assert.match(good.stderr, /^START [^]*REPORT /);
  const failed = await lk.cli(['invoke', 'raw', '--stream', '-d', code("s = Stream()\ns.write('half')\ns.fail('Function.B', '{\"errorMessage\": \"it broke\"}')")]);
  assert.deepEqual([failed.code, failed.stdout], [5, 'half\n']);
  assert.match(failed.stderr, /Unhandled.*it broke.*lambkin logs raw/);
  assert.equal((await lk.cli(['invoke', 'nobody', '--stream'])).code, 4);
  assert.equal((await lk.cli(['invoke', 'raw', '--stream', '--json'])).code, 2);
  const child = spawn(path.join(BUILD, 'lambkin'), ['invoke', 'raw', '--stream', '--endpoint', lk.endpoint, '-d',
    code("s = Stream()\nfor i in range(1000):\n  s.write('.')\n  time.sleep(0.001)\ns.end()")], { env: cleanEnv() });
  let pieces = 0;
  child.stdout.on('data', () => { pieces++; });
  assert.equal((await once(child, 'close'))[0], 0);
  assert.ok(pieces > 20, `printed in ${pieces} pieces`);
});
