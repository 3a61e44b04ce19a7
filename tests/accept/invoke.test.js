/* Invoke: types, headers, payloads, function errors, log lines, environment variables. */
'use strict';
const assert = require('node:assert/strict');
const { test, before, after } = require('node:test');
const { LambdaClient, InvokeCommand } = require('@aws-sdk/client-lambda');
const { Lambkin, PUPPET, ACCOUNT, REGION, UUID } = require('./lib/lambkin');

const arn = (name) => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`;
const NODE_PUPPET = { 'index.js': 'exports.handler = async (event, context) => eval(event.code);\n' };
let lk;
let sdk;

before(async () => {
  lk = await Lambkin.start();
  sdk = new LambdaClient({ endpoint: lk.endpoint, region: REGION, maxAttempts: 1,
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' } });
  await lk.create('py', PUPPET);
  await lk.create('js', NODE_PUPPET, { runtime: 'nodejs20.x', handler: 'index.handler' });
});
after(async () => {
  sdk.destroy();
  await lk.stop();
});

const report = (id, { init, memory = 256, status = '' } = {}) => new RegExp(
  `REPORT RequestId: ${id}\tDuration: \\d+\\.\\d\\d ms\tBilled Duration: \\d+ ms\tMemory Size: ${memory} MB\t`
  + `Max Memory Used: \\d+ MB\t${init === true ? 'Init Duration: \\d+\\.\\d\\d ms\t' : ''}${status}\n`);

test('the answer: status, headers, bytes', async () => {
  const answer = await lk.invoke('py', { code: 'result = {"a": [1, "\\u00e4"]}' });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json, { a: [1, 'ä'] });
  assert.equal(answer.headers['x-amz-executed-version'], '$LATEST');
  assert.match(answer.headers['x-amzn-requestid'], UUID);
  assert.equal(answer.headers['x-amzn-remapped-content-length'], '0');
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.match(answer.headers['x-amzn-trace-id'], /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};/i);
  assert.ok(answer.headers.date);
  assert.equal(answer.error, undefined);
  const quiet = await lk.request('POST', '/2015-03-31/functions/py/invocations', '{"code":""}');
  assert.equal(quiet.headers['x-amz-log-result'], undefined);
  assert.equal(quiet.text, 'null');
  assert.equal((await lk.invoke('py', { code: 'result = "a\\"b"' })).text, '"a\\"b"');
  const sent = await sdk.send(new InvokeCommand({ FunctionName: arn('py'), Payload: '{"code":"result = 5"}', LogType: 'Tail' }));
  assert.equal(Buffer.from(sent.Payload).toString(), '5');
  assert.equal(sent.ExecutedVersion, '$LATEST');
  assert.match(Buffer.from(sent.LogResult, 'base64').toString(), /^START RequestId: /);
});

test('no payload is {}; any JSON value is fine', async () => {
  await lk.create('echo', { 'app.py': 'def handler(event, context):\n    return [event]\n' });
  assert.deepEqual(await lk.call('echo'), [{}]);
  for (const value of [null, 5, 'x', [], [1, { a: null }], {}, 1.5e-7, '', '\u{1f600}', '\u0000']) {
    assert.deepEqual(await lk.call('echo', value), [value]);
  }
  assert.deepEqual((await lk.invoke('echo', Buffer.from(' \r\n\t{ "a" : 1 } \n'))).json, [{ a: 1 }]);
});

test('a payload that is not JSON', async () => {
  for (const body of ['{', 'x', '{"a":1}x', '{"a":}', '[1,]', '"\x01"', "{'a':1}", 'nul', '01', '1.', '"\\x"', '{"a":1,}',
    Buffer.from([0x22, 0xff, 0x22]), Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]), '[', `${'['.repeat(100000)}`, 'NaN']) {
    const answer = await lk.invoke('py', Buffer.from(body));
    assert.equal(answer.status, 400, `${body.toString().slice(0, 20)}: ${answer.text}`);
    assert.equal(answer.headers['x-amzn-errortype'], 'InvalidRequestContentException');
    assert.equal(answer.json.Type, 'User');
    assert.match(answer.json.message, /^Could not parse request body into json: Could not parse payload into json: ./);
  }
});

test('payload sizes: 6 MB each way', async () => {
  const most = 6291456;
  const frame = JSON.stringify({ code: '', pad: '' }).length;
  const code = 'result = len(event["pad"])';
  const pad = most - frame - JSON.stringify(code).length + 2;
  assert.equal(await lk.call('py', { code, pad: 'x'.repeat(pad) }), pad);
  const over = await lk.invoke('py', { code, pad: 'x'.repeat(pad + 1) });
  assert.equal(over.status, 413);
  assert.match(over.headers['x-amzn-errortype'], /^Request(Entity)?TooLargeException$/);
  assert.match(over.json.message, /Request must be smaller than 6291456 bytes for the InvokeFunction operation|too large/);
  assert.equal((await lk.invoke('py', { code: 'result = "x" * 6291454' })).body.length, most);
  const long = await lk.invoke('py', { code: 'result = "x" * 6291555' });
  assert.equal(long.status, 200);
  assert.equal(long.error, 'Unhandled');
  assert.equal(long.text, '{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).",'
    + '"errorType":"Function.ResponseSizeTooLarge"}');
  assert.equal(await lk.call('py', { code: 'result = 1' }), 1, 'the next invocation works');
});

test('invocation types', async () => {
  const path = '/2015-03-31/functions/py/invocations';
  const dry = await lk.request('POST', path, '{}', { 'X-Amz-Invocation-Type': 'DryRun' });
  assert.equal(dry.status, 204);
  assert.equal(dry.text, '');
  assert.equal(dry.headers['x-amz-executed-version'], undefined);
  const event = await lk.request('POST', path, '{}', { 'X-Amz-Invocation-Type': 'Event' });
  assert.ok(event.status >= 400, event.text);
  assert.match(event.text, /not implemented|does not .* yet/i);
  const bad = await lk.request('POST', path, '{}', { 'X-Amz-Invocation-Type': 'Later' });
  assert.equal(bad.status, 400);
  assert.equal(bad.headers['x-amzn-errortype'], 'ValidationException');
  assert.match(bad.json.message, /^1 validation error detected: Value 'Later' at 'invocationType' failed to satisfy /);
  const log = await lk.request('POST', path, '{}', { 'X-Amz-Log-Type': 'All' });
  assert.equal(log.status, 400);
  assert.match(log.json.message, /^1 validation error detected: Value 'All' at 'logType' failed to satisfy constraint: /);
  const missing = await lk.request('POST', '/2015-03-31/functions/nobody/invocations', '{}',
    { 'X-Amz-Invocation-Type': 'DryRun' });
  assert.equal(missing.status, 404);
});

test('client context', async () => {
  const context = Buffer.from(JSON.stringify({ client: { app_title: 'T' }, custom: { k: 'v' }, env: { e: '1' } }));
  const code = 'c = context.client_context\nresult = [c.custom, c.env, c.client.app_title] if c else None';
  assert.deepEqual(await lk.call('py', { code }, { 'X-Amz-Client-Context': context.toString('base64') }),
    [{ k: 'v' }, { e: '1' }, 'T']);
  assert.equal(await lk.call('py', { code }), null);
  assert.deepEqual(await lk.call('js', { code: 'context.clientContext' },
    { 'X-Amz-Client-Context': context.toString('base64') }), JSON.parse(context));
  for (const value of ['!!!', Buffer.from('not json').toString('base64'), 'A'.repeat(3584)]) {
    const answer = await lk.invoke('py', { code }, { 'X-Amz-Client-Context': value });
    assert.equal(answer.status, 400, `${value.slice(0, 20)}: ${answer.text}`);
  }
});

test('the context object', async () => {
  const code = 'result = [context.aws_request_id, context.function_name, context.function_version, '
    + 'context.invoked_function_arn, context.memory_limit_in_mb, context.log_group_name, context.log_stream_name, '
    + '0 < context.get_remaining_time_in_millis() <= 10000, context.identity.cognito_identity_id]';
  const answer = await lk.invoke('py', { code });
  const [id, name, version, invoked, memory, group, stream, time, identity] = answer.json;
  assert.equal(id, answer.headers['x-amzn-requestid']);
  assert.deepEqual([name, version, invoked, memory, group, time, identity],
    ['py', '$LATEST', arn('py'), '256', '/aws/lambda/py', true, null]);
  assert.match(stream, /^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/);
  const qualified = await lk.request('POST', '/2015-03-31/functions/py/invocations?Qualifier=%24LATEST',
    JSON.stringify({ code: 'result = context.invoked_function_arn' }));
  assert.equal(qualified.json, `${arn('py')}:$LATEST`);
  const js = await lk.invoke('js', { code: '[context.awsRequestId, context.functionName, context.functionVersion, '
    + 'context.invokedFunctionArn, context.memoryLimitInMB, context.logGroupName, context.logStreamName, '
    + 'context.getRemainingTimeInMillis() > 0]' });
  assert.deepEqual(js.json.filter((_, i) => i !== 6), [js.headers['x-amzn-requestid'], 'js', '$LATEST', arn('js'), '256',
    '/aws/lambda/js', true]);
});

test('trace ids are passed on', async () => {
  const root = '1-5bef4de7-ad49b0e87f6ef6c87fc2e700';
  const answer = await lk.invoke('py', { code: 'result = os.environ["_X_AMZN_TRACE_ID"]' },
    { 'X-Amzn-Trace-Id': `Root=${root};Parent=9a9197af755a6419;Sampled=1` });
  assert.match(answer.json, new RegExp(`^Root=${root};`));
  assert.match(answer.headers['x-amzn-trace-id'], new RegExp(root));
  const fresh = await lk.call('py', { code: 'result = os.environ["_X_AMZN_TRACE_ID"]' });
  assert.match(fresh, /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0/);
  const nasty = await lk.invoke('py', { code: 'result = os.environ["_X_AMZN_TRACE_ID"]' },
    { 'X-Amzn-Trace-Id': 'x'.repeat(5000) });
  assert.ok([200, 400].includes(nasty.status));
});

test('log lines to the byte: cold, then warm', async () => {
  await lk.create('lines', { 'app.py': 'print("loading")\ndef handler(event, context):\n    print("one")\n    print("two")\n' });
  const cold = await lk.invoke('lines', {});
  const id = cold.headers['x-amzn-requestid'];
  const expect = (init) => new RegExp(`^START RequestId: ${id} Version: \\$LATEST\none\ntwo\nEND RequestId: ${id}\n`
    + `${report(id, { init }).source}$`);
  assert.match(cold.tail, expect(true));
  assert.doesNotMatch(cold.tail, /INIT_START/);
  const [, duration, billed, init] = /Duration: ([\d.]+) ms\tBilled Duration: (\d+) ms.*Init Duration: ([\d.]+) ms/.exec(cold.tail);
  assert.ok(Math.abs(Number(billed) - Math.ceil(Number(duration) + Number(init))) <= 1, 'init is billed, rounded up');
  const warm = await lk.invoke('lines', {});
  const second = warm.headers['x-amzn-requestid'];
  assert.match(warm.tail, new RegExp(`^START RequestId: ${second} Version: \\$LATEST\none\ntwo\nEND RequestId: ${second}\n`
    + `${report(second).source}$`));
  const used = Number(/Max Memory Used: (\d+) MB/.exec(warm.tail)[1]);
  assert.ok(used > 2 && used < 100, `${used} MB`);
});

test('the tail is the last 4 KB of this invocation', async () => {
  const answer = await lk.invoke('py', { code: 'print("first")\nfor n in range(1000): print("line", n)' });
  assert.equal(Buffer.from(answer.headers['x-amz-log-result'], 'base64').length, 4096);
  assert.match(answer.tail, /line 999\nEND RequestId: .*\nREPORT .*\t\n$/s);
  const next = await lk.invoke('py', { code: 'print("mine")' });
  assert.match(next.tail, /^START [^\n]*\nmine\nEND /);
  for (const text of ['no newline', 'a\rb\n', '\n\n', '\x00\x01\xff']) {
    const shown = await lk.invoke('py', { code: `sys.stdout.buffer.write(${JSON.stringify(text)}.encode("latin1"))\nsys.stdout.flush()` });
    assert.equal(shown.status, 200);
    assert.match(shown.tail, /END RequestId: .*\nREPORT /s);
  }
  const err = await lk.invoke('py', { code: 'print("on stderr", file=sys.stderr)' });
  assert.match(err.tail, /\non stderr\n/);
});

test('Python: raised, unserialisable, exited', async () => {
  const raised = await lk.invoke('py', { code: 'raise ValueError("b\\u00e4d")' });
  const id = raised.headers['x-amzn-requestid'];
  assert.equal(raised.status, 200);
  assert.equal(raised.error, 'Unhandled');
  assert.deepEqual(Object.keys(raised.json), ['errorMessage', 'errorType', 'requestId', 'stackTrace']);
  assert.deepEqual([raised.json.errorMessage, raised.json.errorType, raised.json.requestId], ['bäd', 'ValueError', id]);
  assert.match(raised.json.stackTrace[0], /^ {2}File "\/var\/task\/app\.py", line \d+, in handler\n {4}exec/);
  assert.match(raised.tail, /\[ERROR\] ValueError: bäd[\r\n]Traceback \(most recent call last\):[\r\n]\u00a0+File "\/var\/task\/app\.py"/);
  assert.match(raised.tail, report(id));
  const marshal = await lk.invoke('py', { code: 'import datetime; result = datetime.datetime.now()' });
  assert.deepEqual([marshal.json.errorType, marshal.json.errorMessage],
    ['Runtime.MarshalError', 'Unable to marshal response: Object of type datetime is not JSON serializable']);
  const exited = await lk.invoke('py', { code: 'sys.exit(3)' });
  const eid = exited.headers['x-amzn-requestid'];
  assert.equal(exited.error, 'Unhandled');
  assert.equal(exited.text, `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ${eid} Error: Runtime exited with error: exit status 3"}`);
  assert.match(exited.tail, new RegExp(`RequestId: ${eid} Error: Runtime exited with error: exit status 3\nRuntime.ExitError\n`));
  assert.match(exited.tail, report(eid, { status: 'Status: error\tError Type: Runtime.ExitError\t?' }));
  const zero = await lk.invoke('py', { code: 'os._exit(0)' });
  assert.equal(zero.json.errorMessage,
    `RequestId: ${zero.headers['x-amzn-requestid']} Error: Runtime exited without providing a reason`);
  for (const [signal, text] of [['SIGSEGV', 'segmentation fault'], ['SIGKILL', 'killed'], ['SIGABRT', 'aborted']]) {
    const died = await lk.invoke('py', { code: `os.kill(os.getpid(), signal.${signal})\ntime.sleep(5)` });
    assert.equal(died.text, `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ${
      died.headers['x-amzn-requestid']} Error: Runtime exited with error: signal: ${text}"}`);
  }
  assert.equal(await lk.call('py', { code: 'result = G["calls"]' }), 1, 'a new process');
});

test('Python: import errors', async () => {
  const check = async (name, files, handler, type, message) => {
    await lk.create(name, files, { handler });
    const answer = await lk.invoke(name, {});
    assert.equal(answer.error, 'Unhandled', answer.text);
    assert.equal(answer.json.errorType, type, answer.text);
    if (message instanceof RegExp) assert.match(answer.json.errorMessage, message);
    else assert.equal(answer.json.errorMessage, message);
    assert.equal(answer.json.requestId, '');
    assert.match(answer.tail, new RegExp(`START RequestId: .*END RequestId: .*REPORT RequestId: [^\n]*Status: error`, 's'));
  };
  await check('imp1', { 'app.py': 'import nosuch\n' }, 'app.handler', 'Runtime.ImportModuleError',
    "Unable to import module 'app': No module named 'nosuch'");
  await check('imp2', { 'app.py': 'x = 1\n' }, 'app.handler', 'Runtime.HandlerNotFound', "Handler 'handler' missing on module 'app'");
  await check('imp3', { 'app.py': 'def handler(:\n' }, 'app.handler', 'Runtime.UserCodeSyntaxError', /^Syntax error in module 'app': /);
  await check('imp4', { 'app.py': '' }, 'app', 'Runtime.MalformedHandlerName',
    "Bad handler 'app': not enough values to unpack (expected 2, got 1)");
  await check('imp5', { 'app.py': '' }, 'sys.exit', 'Runtime.BuiltInModuleConflict',
    'Cannot use built-in module sys as a handler module');
  await check('imp6', { 'app.py': 'raise KeyError("k")\n' }, 'app.handler', 'KeyError', "'k'");
  await lk.create('nested', { 'a/b/c.py': 'def h(e, c):\n    return "deep"\n' }, { handler: 'a/b/c.h' });
  assert.equal(await lk.call('nested', {}), 'deep');
});

test('Node.js: results, errors, exits', async () => {
  assert.equal((await lk.invoke('js', { code: 'undefined' })).text, 'null');
  const thrown = await lk.invoke('js', { code: 'throw new RangeError("far")' });
  assert.equal(thrown.error, 'Unhandled');
  assert.deepEqual(Object.keys(thrown.json), ['errorType', 'errorMessage', 'trace']);
  assert.deepEqual([thrown.json.errorType, thrown.json.errorMessage, thrown.json.trace[0]], ['RangeError', 'far', 'RangeError: far']);
  assert.match(thrown.tail, /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t[0-9a-f-]{36}\tERROR\tInvoke Error \t\{"errorType":"RangeError"/);
  const string = await lk.invoke('js', { code: 'Promise.reject("text")' });
  assert.deepEqual(string.json, { errorType: 'string', errorMessage: 'text', trace: [] });
  const logged = await lk.invoke('js', { code: 'console.log("a %s", 1), console.error("b"), 1' });
  const id = logged.headers['x-amzn-requestid'];
  assert.match(logged.tail, new RegExp(`Z\t${id}\tINFO\ta 1\n.*Z\t${id}\tERROR\tb\n`, 's'));
  const exited = await lk.invoke('js', { code: 'process.exit(7)' });
  assert.equal(exited.error, 'Unhandled');
  assert.equal(exited.json.errorType, 'Runtime.ExitError', exited.text);
  assert.match(exited.json.errorMessage, /exit status 7$/);
  const never = await lk.invoke('js', { code: 'new Promise(() => {})' });
  assert.match(never.json.errorType, /^Runtime\.NodeJsExit$/);
  const uncaught = await lk.invoke('js', { code: 'setImmediate(() => { throw new TypeError("late") }), new Promise(() => {})' });
  assert.equal(uncaught.json.errorType, 'TypeError', uncaught.text);
  const rejection = await lk.invoke('js', { code: 'Promise.reject(new Error("r")), new Promise(() => setTimeout(() => {}, 5000))' });
  assert.equal(rejection.json.errorType, 'Runtime.UnhandledPromiseRejection', rejection.text);
  assert.equal(await lk.call('js', { code: '5' }), 5);
});

test('Node.js: modules, callbacks, load failures', async () => {
  const js = { runtime: 'nodejs20.x', handler: 'index.handler' };
  await lk.create('esm', { 'index.mjs': 'export const handler = async (e) => ({ esm: e });\n' }, js);
  assert.deepEqual(await lk.call('esm', 1), { esm: 1 });
  await lk.create('typed', { 'index.js': 'export const handler = async () => "typed";\n', 'package.json': '{"type":"module"}' }, js);
  assert.equal(await lk.call('typed', 1), 'typed');
  await lk.create('callback', { 'index.js': 'exports.handler = (e, c, done) => { setTimeout(() => done(null, e + 1), 5); };\n' }, js);
  assert.equal(await lk.call('callback', 1), 2);
  for (const [name, source, handler, type, message] of [
    ['js1', 'exports.other = 1;', 'index.handler', 'Runtime.HandlerNotFound', /^index\.handler is undefined or not exported$/],
    ['js2', 'exports.handler = 5;', 'index.handler', 'Runtime.HandlerNotFound', /^index\.handler is not a function$/],
    ['js3', 'require("./nosuch")', 'index.handler', 'Runtime.ImportModuleError', /^Error: Cannot find module '\.\/nosuch'\nRequire stack:\n- \/var\/task\/index\.js/],
    ['js4', 'exports.handler = (', 'index.handler', 'Runtime.UserCodeSyntaxError', /^SyntaxError: /],
    ['js5', '', '../index.handler', 'Runtime.MalformedHandlerName', /is not a valid handler name/],
  ]) {
    await lk.create(name, { 'index.js': source }, { ...js, handler });
    const answer = await lk.invoke(name, {});
    assert.deepEqual([answer.error, answer.json.errorType], ['Unhandled', type], `${name}: ${answer.text}`);
    assert.match(answer.json.errorMessage, message, name);
  }
});

test('environment variables exactly, Python', async () => {
  await lk.create('env-py', PUPPET, { env: { MINE: 'a=b "c" $HOME\nü', PYTHONUNBUFFERED: '1' } });
  const env = await lk.call('env-py', { code: 'result = dict(os.environ)' });
  const { AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token, _X_AMZN_TRACE_ID: trace,
    AWS_LAMBDA_LOG_STREAM_NAME: stream, ...rest } = env;
  for (const value of [key, secret, token]) assert.ok(value);
  assert.match(trace, /^Root=1-/);
  assert.match(stream, /^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/);
  delete rest.LC_CTYPE;
  delete rest.MALLOC_ARENA_MAX; /* ours: keeps a small function's memory small */
  assert.deepEqual(rest, {
    MINE: 'a=b "c" $HOME\nü', PYTHONUNBUFFERED: '1', _HANDLER: 'app.handler', AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION, AWS_ENDPOINT_URL: 'http://169.254.100.1:4566', AWS_EXECUTION_ENV: 'AWS_Lambda_python3.11', AWS_LAMBDA_FUNCTION_NAME: 'env-py',
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST', AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand', AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/env-py',
    AWS_LAMBDA_RUNTIME_API: '169.254.100.1:9001', AWS_XRAY_CONTEXT_MISSING: 'LOG_ERROR',
    AWS_XRAY_DAEMON_ADDRESS: '169.254.100.1:2000', _AWS_XRAY_DAEMON_ADDRESS: '169.254.100.1', _AWS_XRAY_DAEMON_PORT: '2000',
    LAMBDA_TASK_ROOT: '/var/task', LAMBDA_RUNTIME_DIR: '/var/runtime', LANG: 'en_US.UTF-8', TZ: ':UTC',
    PATH: '/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin',
    LD_LIBRARY_PATH: '/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib',
    PWD: '/var/task', SHLVL: '0', PYTHONPATH: '/var/runtime',
  });
});

test('environment variables: Node.js and provided', async () => {
  const env = await lk.call('js', { code: 'process.env' });
  assert.equal(env.AWS_EXECUTION_ENV, 'AWS_Lambda_nodejs20.x');
  assert.equal(env.NODE_PATH, '/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task');
  assert.deepEqual([env.PWD, env.SHLVL, env._HANDLER, env.TZ], ['/var/task', '0', 'index.handler', ':UTC']);
  assert.match(env._X_AMZN_TRACE_ID, /^Root=1-/);
  assert.equal(env._LAMBDA_TELEMETRY_LOG_FD, undefined);
  const bootstrap = ['#!/bin/sh', 'env="$(/usr/bin/env -0 | /usr/bin/base64 -w0)"',
    'api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"', 'while :; do',
    '  id=$(curl -sS -D - -o /tmp/event "$api/invocation/next" | tr -d "\\r" | sed -n "s/^Lambda-Runtime-Aws-Request-Id: //Ip")',
    '  curl -sS -o /dev/null -d "\\"$env\\"" "$api/invocation/$id/response"', 'done', ''].join('\n');
  await lk.create('env-sh', { bootstrap }, { runtime: 'provided.al2023', handler: 'what.ever', Timeout: 20 });
  const raw = Object.fromEntries(Buffer.from(await lk.call('env-sh', {}), 'base64').toString().split('\0').filter(Boolean)
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  assert.equal(raw._HANDLER, 'what.ever');
  assert.equal(raw.AWS_EXECUTION_ENV, undefined);
  assert.equal(raw.PATH, '/usr/local/bin:/usr/bin/:/bin:/opt/bin');
  assert.equal(raw.LD_LIBRARY_PATH, '/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib');
  assert.equal(raw.AWS_LAMBDA_RUNTIME_API, '169.254.100.1:9001');
});

test('overridable variables are overridden, reserved ones are not', async () => {
  await lk.create('env-over', PUPPET, { env: { TZ: 'Europe/Berlin', LANG: 'C', PATH: '/usr/bin:/bin', PYTHONPATH: '/var/runtime:/tmp/x' } });
  assert.deepEqual(await lk.call('env-over', { code: 'result = [os.environ[k] for k in ("TZ", "LANG", "PATH", "PYTHONPATH")]' }),
    ['Europe/Berlin', 'C', '/usr/bin:/bin', '/var/runtime:/tmp/x']);
});

test('a shell bootstrap with curl; a bootstrap that is missing, not executable, not a program', async () => {
  const answer = (name) => lk.invoke(name, {});
  const custom = { runtime: 'provided.al2', handler: 'x' };
  await lk.create('none', { 'other': 'x' }, custom);
  assert.equal((await answer('none')).json.errorType, 'Runtime.InvalidEntrypoint');
  assert.match((await answer('none')).json.errorMessage,
    /^RequestId: [0-9a-f-]{36} Error: Couldn't find valid bootstrap\(s\): \[\/var\/task\/bootstrap \/opt\/bootstrap\]$/);
  await lk.create('noexec', { bootstrap: { data: '#!/bin/sh\n', mode: 0o100644 } }, custom);
  assert.equal((await answer('noexec')).json.errorType, 'Runtime.InvalidEntrypoint');
  assert.match((await answer('noexec')).json.errorMessage, /fork\/exec \/var\/task\/bootstrap: permission denied$/);
  await lk.create('format', { bootstrap: 'not a program' }, custom);
  assert.equal((await answer('format')).json.errorType, 'Runtime.InvalidEntrypoint');
  assert.match((await answer('format')).json.errorMessage, /fork\/exec \/var\/task\/bootstrap: exec format error$/);
});

test('errors of the runtime are passed on unmodified', async () => {
  const boot = (body, headers = '') => ({ bootstrap: ['#!/bin/sh', 'api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"',
    'while :; do', '  id=$(curl -sS -D - -o /tmp/event "$api/invocation/next" | tr -d "\\r" | sed -n "s/^Lambda-Runtime-Aws-Request-Id: //Ip")',
    `  curl -sS -o /dev/null ${headers} -d '${body}' "$api/invocation/$id/error"`, 'done', ''].join('\n') });
  const custom = { runtime: 'provided.al2023', handler: 'x' };
  await lk.create('own-error', boot('{"any": [1,  2]}'), custom);
  const one = await lk.invoke('own-error', {});
  assert.deepEqual([one.status, one.error, one.text], [200, 'Unhandled', '{"any": [1,  2]}']);
  await lk.create('plain-error', boot('just text'), custom);
  assert.equal((await lk.invoke('plain-error', {})).text, 'just text');
  await lk.create('cause-error', boot('{"errorMessage":"m","errorType":"t","stackTrace":[],"errorCause":{"x":1}}',
    '-H "Content-Type: application/vnd.aws.lambda.error.cause+json"'), custom);
  assert.deepEqual((await lk.invoke('cause-error', {})).json, { errorMessage: 'm', errorType: 't', stackTrace: [] });
});
