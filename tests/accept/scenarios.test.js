/* One table of scenarios, run over every language: a difference between languages shows as a row.
 *
 * A language is one folder, scenarios/NAME, and one line of LANGUAGES. The folder is the zip as a user would deploy it, with
 * `layer` in it the layer. Its handler gets {do, value} and does what the one in scenarios/python does. */
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test, before, after } = require('node:test');
const { Lambkin, ACCOUNT, REGION, UUID, sha256, zip } = require('./lib/lambkin');

/* runtime, handler; `errors`: the error types by which AWS's clients differ; `broken`: a handler each for an init that fails, code
 * with a syntax error, a module that is missing and one without that handler. Of custom runtimes AWS asks less: they have
 * no AWS_EXECUTION_ENV (`execution`) and no exec wrapper (`wrapped`). */
const LANGUAGES = {
  python: { runtime: 'python3.11', handler: 'app.handler', broken: { init: 'init.handler', syntax: 'syntax.handler', module: 'nothere.handler', handler: 'app.nothere' },
    errors: { error: 'ValueError', custom: 'Custom', marshal: 'Runtime.MarshalError', init: 'ValueError' } },
  nodejs: { runtime: 'nodejs20.x', handler: 'app.handler', broken: { init: 'init.handler', syntax: 'syntax.handler', module: 'nothere.handler', handler: 'app.nothere' },
    errors: { error: 'TypeError', custom: 'Custom', marshal: 'Error', init: 'TypeError' } },
  ruby: { runtime: 'ruby3.3', handler: 'app.handler', broken: { init: 'init.handler', syntax: 'syntax.handler', module: 'nothere.handler', handler: 'app.nothere' },
    errors: { error: 'Function<ArgumentError>', custom: 'Function<Custom>', marshal: 'Function<JSON::GeneratorError>', init: 'Init<ArgumentError>',
      syntax: 'Init<SyntaxError>', module: 'Init<LoadError>', handler: 'Function<NoMethodError>' } },
  bash: { runtime: 'provided.al2023', handler: 'any', broken: { init: 'init' },
    errors: { error: 'Mine.error', custom: 'Mine.custom', init: 'Mine.Init' }, execution: null, wrapped: null },
};
const BROKEN = { syntax: 'Runtime.UserCodeSyntaxError', module: 'Runtime.ImportModuleError', handler: 'Runtime.HandlerNotFound' };

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64');
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
  async 'big payloads'(language) {
    const big = 'x'.repeat(5000000);
    assert.equal(await ask(language, 'echo', big), big);
    assert.equal((await ask(language, 'big', 6291554)).length, 6291554);
    const over = await lk.invoke(language, { do: 'big', value: 6291555 });
    assert.equal(over.json.errorType, 'Function.ResponseSizeTooLarge');
    assert.equal(await ask(language, 'echo', 'after'), 'after');
  },
  async context(language) {
    const answer = await lk.invoke(language, { do: 'context' }, { 'X-Amz-Client-Context': encode({ custom: { key: 'ä' } }) });
    const { id, remaining, stream, ...rest } = answer.json;
    assert.match(id, UUID);
    assert.equal(id, answer.headers['x-amzn-requestid']);
    assert.ok(remaining > 8000 && remaining <= 10000, `${remaining} ms of 10 s`);
    assert.match(stream, /^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/);
    assert.deepEqual(rest, { name: language, version: '$LATEST', arn: `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${language}`,
      memory: 256, group: `/aws/lambda/${language}`, client: { key: 'ä' }, identity: null });
    assert.equal((await ask(language, 'context')).client, null);
  },
  async environment(language, of) {
    const expected = { MINE: 'a=b "c" ä', LAMBDA_TASK_ROOT: '/var/task', LAMBDA_RUNTIME_DIR: '/var/runtime', AWS_REGION: REGION,
      AWS_LAMBDA_FUNCTION_NAME: language, AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256', AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand', AWS_EXECUTION_ENV: of.execution === null ? null : `AWS_Lambda_${of.runtime}`, _HANDLER: of.handler, TZ: ':UTC',
      ...(of.execution === null ? {} : { _LAMBDA_TELEMETRY_LOG_FD: null }) };
    assert.deepEqual(await ask(language, 'environment', Object.keys(expected)), expected);
  },
  async layer(language) {
    assert.equal(await ask(language, 'layer'), 'from the layer');
  },
  async 'log lines'(language) {
    const { tail } = await lk.invoke(language, { do: 'print', value: 'printed ä' });
    assert.match(tail, /printed ä\n/);
    assert.equal(tail.split('printed').length, 2);
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
    assert.match(answer.json.errorType, /^Runtime\.(ExitError|OutOfMemory)$/, answer.text);
    assert.match(answer.tail, /Error Type: Runtime\.OutOfMemory/);
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
      assert.equal(answer.json.errorType, of.errors[kind] || BROKEN[kind], answer.text);
    }));
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

function create(language, of, name, options = {}, env = {}) {
  return lk.create(name, { ...files(path.join(__dirname, 'scenarios', language)), wrapper: WRAPPER },
    { runtime: of.runtime, handler: of.handler, env: { MINE: 'a=b "c" ä', ...env }, Layers: [of.layer], ...options });
}

before(async () => {
  lk = await Lambkin.start();
  for (const [language, of] of Object.entries(LANGUAGES)) {
    const content = zip(files(path.join(__dirname, 'scenarios', language, 'layer')));
    const layer = await lk.api('POST', `/2018-10-31/layers/${language}/versions`, { Content: { ZipFile: content.toString('base64') } });
    assert.equal(layer.status, 201, layer.text);
    of.layer = layer.json.LayerVersionArn;
    await create(language, of, language);
  }
});
after(() => lk.stop());

for (const [language, of] of Object.entries(LANGUAGES)) {
  for (const [name, run] of Object.entries(SCENARIOS)) test(`${language}: ${name}`, () => run(language, of));
}
