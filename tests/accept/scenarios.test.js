/* One table of scenarios, run over every language: a difference between languages shows as a row.
 *
 * A language is one folder, scenarios/NAME, and one line of LANGUAGES. The folder is the zip as a user would deploy it, with
 * `layer` in it the layer. A language that is compiled has an executable `build` in its folder: run there with an empty folder
 * as its argument, it puts into that what is deployed (and a `layer`, if that is made, too). It ends with 77 if this
 * machine lacks the toolchain; the language is skipped then, or fails with LK_MUST_RUN=1.
 * The handler gets {do, value} and does what the one in scenarios/python does. */
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { test, before, after } = require('node:test');
const { Lambkin, ACCOUNT, REGION, UUID, sha256, zip } = require('./lib/lambkin');

/* runtime, handler; `folder`, if two languages share one; `errors`: the error types by which AWS's clients differ; `broken`: a
 * handler each for an init that fails, code with a syntax error, a module that is missing and one without that handler (of which Java
 * says no type, dataplane.md 6.5).
 * `trace`: what the stack trace of an error names, and where; `heap`: it has one whose limit follows MemorySize; `strings`: what a
 * client context holds is a map of strings; `pipe`: the function sees the number of the log pipe, as with AWS's client; `timeout`: it
 * starts slowly, so it gets more than 10 s; `old`: a version with the credentials under older names, too. Of custom runtimes AWS
 * asks less: they have no AWS_EXECUTION_ENV (`execution`), no exec wrapper (`wrapped`), and what they log is lines (`framed`). */
const LANGUAGES = {
  python: { runtime: 'python3.11', handler: 'app.handler', broken: { init: 'init.handler', syntax: 'syntax.handler', module: 'nothere.handler', handler: 'app.nothere' },
    errors: { error: 'ValueError', custom: 'Custom', marshal: 'Runtime.MarshalError', init: 'ValueError' },
    trace: ['stackTrace', /app\.py", line \d+, in do_error/] },
  nodejs: { runtime: 'nodejs20.x', handler: 'app.handler', broken: { init: 'init.handler', syntax: 'syntax.handler', module: 'nothere.handler', handler: 'app.nothere' },
    errors: { error: 'TypeError', custom: 'Custom', marshal: 'Error', init: 'TypeError' }, trace: ['trace', /error \(\/var\/task\/app\.js:\d+/],
    heap: true },
  ruby: { runtime: 'ruby3.3', handler: 'app.handler', broken: { init: 'init.handler', syntax: 'syntax.handler', module: 'nothere.handler', handler: 'app.nothere' },
    errors: { error: 'Function<ArgumentError>', custom: 'Function<Custom>', marshal: 'Function<JSON::GeneratorError>', init: 'Init<ArgumentError>',
      syntax: 'Init<SyntaxError>', module: 'Init<LoadError>', handler: 'Function<NoMethodError>' },
    trace: ['stackTrace', /app\.rb:\d+:in `handler'/] },
  dotnet: { runtime: 'dotnet8', handler: 'Scenario::Scenario.Handler::Handle', broken: { init: 'Scenario::Scenario.Init::Handle',
    module: 'Nothere::A::B', handler: 'Scenario::Scenario.Handler::Nothere' },
    errors: { error: 'InvalidDataException', custom: 'Custom', marshal: 'JsonSerializerException', init: 'InvalidDataException', size: 'ArgumentException', memory: 'OutOfMemoryException',
      module: 'LambdaValidationException', handler: 'LambdaValidationException' },
    trace: ['stackTrace', /^at Scenario\.Handler\.Handle\(/], heap: true, strings: true, pipe: '62' },
  java: { runtime: 'java17', handler: 'scenario.Scenario', broken: { init: 'scenario.Init::handle', module: 'nothere.Scenario', handler: 'scenario.Scenario::nothere' },
    errors: { error: 'java.lang.IllegalArgumentException', custom: 'scenario.Scenario$Custom', marshal: 'java.lang.RuntimeException',
      init: 'java.lang.IllegalArgumentException', module: 'java.lang.ClassNotFoundException', handler: undefined, memory: 'java.lang.OutOfMemoryError' },
    trace: ['stackTrace', /^scenario\.Scenario\.error\(Scenario\.java:\d+\)$/], heap: true, strings: true, pipe: '62', old: 'java8.al2' },
  powershell: { runtime: 'dotnet10', handler: 'app.ps1::handler', broken: { module: 'Module::Nothere::handler', handler: 'app.ps1::nothere' },
    errors: { error: 'InvalidDataException', custom: 'Custom', size: 'ArgumentException', memory: 'OutOfMemoryException', module: 'FileNotFoundException', handler: 'LambdaPowerShellException' },
    trace: ['stackTrace', /^at handler, \/var\/task\/app\.ps1: line \d+$/], heap: true, strings: true, pipe: '62', execution: 'AWS_Lambda_dotnet10_powershell',
    timeout: 60 },
  bash: { runtime: 'provided.al2023', handler: 'any', broken: { init: 'init' },
    errors: { error: 'Mine.error', custom: 'Mine.custom', init: 'Mine.Init' }, execution: null, wrapped: null, framed: false },
  go: { runtime: 'provided.al2023', handler: 'any', broken: { init: 'init' },
    errors: { error: 'errorString', custom: 'Custom', init: 'errorString' }, execution: null, wrapped: null, framed: false },
  go1: { runtime: 'go1.x', handler: 'bin/scenario', folder: 'go', broken: {},
    errors: { error: 'errorString', custom: 'Custom' }, wrapped: null, framed: false },
};
/* `make asan` asks for a few: what it looks for is in the daemon. */
const CHOSEN = Object.entries(LANGUAGES).filter(([name]) => !process.env.LAMBKIN_LANGUAGES || process.env.LAMBKIN_LANGUAGES.split(' ').includes(name));
const BROKEN = { syntax: 'Runtime.UserCodeSyntaxError', module: 'Runtime.ImportModuleError', handler: 'Runtime.HandlerNotFound' };

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64');
const timeout = (of) => 1000 * (of.timeout || 10);
const ask = (language, what, value, ...rest) => lk.call(language, { do: what, value }, ...rest);

/* name: what must hold of every language; `of` is its line above */
const SCENARIOS = {
  async echo(language) {
    for (const value of [null, true, 0, -1.5, '', 'x', [], [1, [null]], {}, { a: { b: ['c'] } }]) {
      assert.deepEqual(await ask(language, 'echo', value), value);
    }
  },
  async unicode(language) {
    for (const value of ['äöü€', '\u{1f600}', '\u0000\u001f\u007f', '\u2028\u2029', 'e\u0301', '"\\/']) {
      assert.equal(await ask(language, 'echo', value), value);
      assert.deepEqual(await ask(language, 'echo', { [value]: 1 }), { [value]: 1 });
    }
  },
  async binary(language) {
    const bytes = Buffer.from(Array.from({ length: 4096 }, (_, n) => (n * 7 + (n >> 8)) & 255));
    assert.equal(await ask(language, 'binary', bytes.toString('base64')), sha256(bytes).digest('hex'));
  },
  async 'big payloads'(language, of) {
    const big = 'x'.repeat(5000000);
    assert.equal(await ask(language, 'echo', big), big);
    assert.equal((await ask(language, 'big', 6291554)).length, 6291554);
    const over = await lk.invoke(language, { do: 'big', value: 6291555 });
    assert.equal(over.json.errorType, of.errors.size || 'Function.ResponseSizeTooLarge');
    assert.equal(await ask(language, 'echo', 'after'), 'after');
  },
  async context(language, of) {
    const answer = await lk.invoke(language, { do: 'context' }, { 'X-Amz-Client-Context': encode({ custom: { key: 'ä' } }) });
    const { id, remaining, stream, ...rest } = answer.json;
    assert.match(id, UUID);
    assert.equal(id, answer.headers['x-amzn-requestid']);
    const limit = timeout(of);
    assert.ok(remaining > limit - 2000 && remaining <= limit, `${remaining} ms of ${limit}`);
    assert.match(stream, /^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/);
    assert.deepEqual(rest, { name: language, version: '$LATEST', arn: `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${language}`,
      memory: 256, group: `/aws/lambda/${language}`, client: { key: 'ä' }, identity: null });
    assert.equal((await ask(language, 'context')).client, null);
  },
  async 'remaining time'(language, of) {
    const [earlier, later] = await ask(language, 'remaining', 0.1);
    assert.ok(earlier <= timeout(of) && earlier - later >= 99 && later > 0, `${earlier} ms, 0.1 s later ${later} ms`);
  },
  async 'client context'(language, of) {
    const context = { client: { installation_id: 'i' }, custom: { 'ä"': 'ß\\n', deep: [1, { a: null }] }, env: { locale: 'de' } };
    const { json } = await lk.invoke(language, { do: 'context' }, { 'X-Amz-Client-Context': encode(context) });
    assert.deepEqual(json.client, of.strings ? { ...context.custom, deep: JSON.stringify(context.custom.deep) } : context.custom);
  },
  async environment(language, of) {
    const expected = { MINE: 'a=b "c" ä', LAMBDA_TASK_ROOT: '/var/task', LAMBDA_RUNTIME_DIR: '/var/runtime', AWS_REGION: REGION,
      AWS_LAMBDA_FUNCTION_NAME: language, AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256', AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand', AWS_EXECUTION_ENV: of.execution === undefined ? `AWS_Lambda_${of.runtime}` : of.execution, _HANDLER: of.handler, TZ: ':UTC',
      ...(of.framed === false ? {} : { _LAMBDA_TELEMETRY_LOG_FD: of.pipe || null }) };
    const found = await ask(language, 'environment', Object.keys(expected));
    found.AWS_EXECUTION_ENV = found.AWS_EXECUTION_ENV && found.AWS_EXECUTION_ENV.replace(/_[\d.]+$/, ''); // of PowerShell
    assert.deepEqual(found, expected);
  },
  async credentials(language, of) {
    const keys = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_ENDPOINT_URL'];
    const [id, secret, token, endpoint] = Object.values(await ask(language, 'environment', keys).then((found) => keys.map((key) => found[key])));
    assert.match(id, /^ASIA[A-Z2-7]{16}$/);
    assert.match(secret, /^[A-Za-z0-9+/]{40}$/);
    assert.match(token, /^.{100,}$/);
    assert.equal(endpoint, 'http://169.254.100.1:4566');
    if (!of.old) return;
    await create(language, of, `${language}-old`, { runtime: of.old });
    const names = ['AWS_ACCESS_KEY_ID', 'AWS_ACCESS_KEY', 'AWS_SECRET_ACCESS_KEY', 'AWS_SECRET_KEY'];
    const found = await lk.call(`${language}-old`, { do: 'environment', value: names });
    assert.deepEqual([found.AWS_ACCESS_KEY, found.AWS_SECRET_KEY], [found.AWS_ACCESS_KEY_ID, found.AWS_SECRET_ACCESS_KEY]);
    assert.match(found.AWS_ACCESS_KEY, /^ASIA/);
  },
  async 'X-Ray header'(language) {
    const header = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1';
    const { json } = await lk.invoke(language, { do: 'trace' }, { 'X-Amzn-Trace-Id': header });
    assert.match(json, /^Root=1-5759e988-bd862e3fe1be46a994272793;Parent=[0-9a-f]{16};Sampled=1/);
    const other = await ask(language, 'trace');
    assert.match(other, /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0/);
    assert.notEqual(other, await ask(language, 'trace'));
  },
  async 'memory hint'(language, of) {
    const limit = await ask(language, 'heap');
    if (of.heap) assert.ok(limit >= 100 && limit <= 256, `a heap of ${limit} MB in 256 MB`);
    else assert.equal(limit, null);
  },
  async layer(language) {
    assert.equal(await ask(language, 'layer'), 'from the layer');
  },
  async 'log lines'(language) {
    const { tail } = await lk.invoke(language, { do: 'print', value: 'printed ä' });
    assert.match(tail, /printed ä\n/);
    assert.equal(tail.split('printed').length, 2);
  },
  async 'a message of several lines is one event'(language, of) {
    await ask(language, 'log', 'first\nsecond\n  third');
    const found = (await messages(language)).filter((message) => /first|second|third/.test(message));
    if (of.framed === false) assert.equal(found.length, 3, 'lines');
    else assert.match(found.join('|'), /^[^|]*first[\r\n]second[\r\n] {2}third\n?$/);
  },
  async 'JSON log lines and their levels'(language, of) {
    await create(language, of, `${language}-json`, { LoggingConfig: { LogFormat: 'JSON', ApplicationLogLevel: 'WARN' } });
    const { headers } = await lk.invoke(`${language}-json`, { do: 'levels', value: 'böom' });
    const found = (await messages(`${language}-json`)).filter((message) => /om (debug|info|warn|error)/.test(message)).map((message) => JSON.parse(message));
    assert.deepEqual(found.map(({ message }) => message), ['böom warn', 'böom error'], 'neither debug nor info');
    for (const { level, timestamp, ...rest } of found) {
      assert.match(level, /^(WARN|WARNING|Warning|ERROR|Error)$/);
      assert.ok(Math.abs(new Date(timestamp) - Date.now()) < 60000, timestamp);
      if (of.framed !== false) assert.equal(rest.requestId ?? rest.AWSRequestId, headers['x-amzn-requestid']);
    }
  },
  async 'stack trace'(language, of) {
    if (!of.trace) return;
    const [member, names] = of.trace;
    const { json } = await lk.invoke(language, { do: 'error', value: 'böom' });
    assert.ok(Array.isArray(json[member]) && json[member].some((line) => names.test(line)), JSON.stringify(json));
    assert.ok(!json[member].some((line) => /\/var\/runtime|<frozen importlib/.test(line) && member !== 'trace'), 'none of the client');
  },
  async 'error kinds'(language, of) {
    for (const kind of ['error', 'custom', 'marshal'].filter((one) => of.errors[one])) {
      const answer = await lk.invoke(language, { do: kind, value: 'böom' });
      assert.equal(answer.error, 'Unhandled');
      assert.equal(answer.json.errorType, of.errors[kind], answer.text);
      if (kind !== 'marshal') assert.equal(answer.json.errorMessage, 'böom');
    }
    assert.equal(await ask(language, 'echo', 'after'), 'after');
  },
  async exit(language) {
    const answer = await lk.invoke(language, { do: 'exit', value: 3 });
    assert.deepEqual(answer.json, { errorType: 'Runtime.ExitError',
      errorMessage: `RequestId: ${answer.headers['x-amzn-requestid']} Error: Runtime exited with error: exit status 3` });
    assert.equal(await ask(language, 'echo', 'after'), 'after');
  },
  async timeout(language, of) {
    await create(language, of, `${language}-timeout`, { Timeout: 1 });
    const answer = await lk.invoke(`${language}-timeout`, { do: 'sleep', value: 60 });
    assert.deepEqual(answer.json, { errorType: 'Sandbox.Timedout',
      errorMessage: `RequestId: ${answer.headers['x-amzn-requestid']} Error: Task timed out after 1.00 seconds` });
  },
  async 'out of memory'(language, of) {
    await create(language, of, `${language}-memory`, { MemorySize: 128 });
    const answer = await lk.invoke(`${language}-memory`, { do: 'memory' });
    if (answer.json.errorType !== of.errors.memory) {
      assert.match(answer.json.errorType, /^Runtime\.(ExitError|OutOfMemory)$/, answer.text);
      assert.match(answer.tail, /Error Type: Runtime\.OutOfMemory/);
    }
    assert.equal(await lk.call(`${language}-memory`, { do: 'echo', value: 'after' }), 'after');
  },
  async 'exec wrapper'(language, of) {
    await create(language, of, `${language}-wrapped`, {}, { AWS_LAMBDA_EXEC_WRAPPER: '/var/task/wrapper' });
    assert.deepEqual(await lk.call(`${language}-wrapped`, { do: 'environment', value: ['WRAPPED'] }), { WRAPPED: of.wrapped === null ? null : 'yes' });
  },
  async 'broken code'(language, of) {
    await Promise.all(Object.entries(of.broken).map(async ([kind, handler]) => {
      await create(language, of, `${language}-${kind}`, { handler });
      const answer = await lk.invoke(`${language}-${kind}`, {});
      assert.equal(answer.error, 'Unhandled');
      assert.equal(answer.json.errorType, kind in of.errors ? of.errors[kind] : BROKEN[kind], answer.text);
    }));
  },
  async 'an init that fails, then one that does not'(language, of) {
    if (!of.broken.init) return;
    const name = `${language}-mended`;
    await create(language, of, name, { handler: of.broken.init });
    const [one, two] = [await lk.invoke(name, {}), await lk.invoke(name, {})];
    assert.equal(one.json.errorType, of.errors.init, one.text);
    assert.deepEqual({ ...two.json, requestId: '' }, { ...one.json, requestId: '' });
    await lk.configure(name, { Handler: of.handler });
    assert.equal(await lk.call(name, { do: 'echo', value: 'mended' }), 'mended');
  },
};

const WRAPPER = '#!/bin/sh\nWRAPPED=yes exec "$@"\n';
let lk;

/* the files below a folder as zip() takes them; `layer` is none of the function's */
function files(top, below = '') {
  return Object.assign({}, ...fs.readdirSync(path.join(top, below), { withFileTypes: true }).map((entry) => {
    const name = path.posix.join(below, entry.name);
    if (name === 'layer') return {};
    return entry.isDirectory() ? files(top, name) : { [name]: fs.readFileSync(path.join(top, name)) };
  }));
}

/* The events of its log group, without those of the platform. */
async function messages(name) {
  const answer = await lk.request('POST', '/', JSON.stringify({ logGroupName: `/aws/lambda/${name}` }),
    { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': 'Logs_20140328.FilterLogEvents',
      Authorization: lk.authorization().replace('/lambda/', '/logs/') });
  assert.equal(answer.status, 200, answer.text);
  return answer.json.events.map((event) => event.message);
}

/* What a language deploys, built if need be: { code, layer }; undefined if it cannot be built here. */
async function built(language, of, out) {
  const folder = path.join(__dirname, 'scenarios', of.folder || language);
  let top = folder;
  if (fs.existsSync(path.join(folder, 'build'))) {
    top = path.join(out, language);
    fs.mkdirSync(top);
    const error = await new Promise((done) => { execFile('./build', [top], { cwd: folder }, (e, stdout, stderr) => done(e && { ...e, text: stdout + stderr })); });
    if (error && error.code === 77 && process.env.LK_MUST_RUN !== '1') return undefined;
    assert.ok(!error, `${folder}/build: ${error && error.text}`);
  }
  const layer = fs.existsSync(path.join(top, 'layer')) ? top : folder;
  return { code: files(top), layer: zip(files(path.join(layer, 'layer'))) };
}

function create(language, of, name, options = {}, env = {}) {
  return lk.create(name, { ...of.code, wrapper: WRAPPER },
    { runtime: of.runtime, handler: of.handler, Timeout: of.timeout || 10, env: { MINE: 'a=b "c" ä', ...env }, Layers: [of.layer], ...options });
}

async function prepare(language, of, out) {
  const made = await built(language, of, out);
  if (!made) return;
  of.code = made.code;
  of.layer = await lk.layer(language, made.layer);
  await create(language, of, language);
}

before(async () => {
  lk = await Lambkin.start({ flags: ['--retired-runtimes', 'true'] });
  const out = fs.mkdtempSync(path.join(os.tmpdir(), 'lambkin-scenarios-'));
  await Promise.all(CHOSEN.map(([language, of]) => prepare(language, of, out).catch((error) => { of.broke = error; })));
  fs.rmSync(out, { recursive: true });
});
after(() => lk.stop());

for (const [language, of] of CHOSEN) {
  for (const [name, run] of Object.entries(SCENARIOS)) {
    test(`${language}: ${name}`, (context) => {
      if (of.broke) throw of.broke;
      if (of.code) return run(language, of);
      return context.skip('its toolchain is not here');
    });
  }
}
