/* .NET in a sandbox, as itself and booted ahead. What handlers, errors and logs look like is tests/runtimes/dotnet_test.py's. */
'use strict';
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test, before, after } = require('node:test');
const { Lambkin, until } = require('./lib/lambkin');

const TESTS = path.join(__dirname, '..');
const BUILT = fs.existsSync(path.join(TESTS, '../runtimes/dotnet/lambkin.dll'));
const skip = BUILT || process.env.LK_MUST_RUN === '1' ? false : 'the .NET client is not built';
const options = { runtime: 'dotnet8', handler: 'Tests::Tests.Look::Process' };
let lk;
let files;

before(async () => {
  if (skip) return;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'lambkin-dotnet-'));
  execFileSync(path.join(TESTS, 'support/dotnet/build'), [folder, 'Tests', path.join(TESTS, 'runtimes/dotnet/Handlers.cs')]);
  files = Object.fromEntries(fs.readdirSync(folder).map((name) => [name, fs.readFileSync(path.join(folder, name))]));
  fs.rmSync(folder, { recursive: true });
  lk = await Lambkin.start({});
});
after(() => lk && lk.stop());

test('a parked .NET shows a function what an ordinary start does', { skip }, async () => {
  const names = ['MINE', 'EMPTY', '_HANDLER', 'AWS_LAMBDA_FUNCTION_NAME', 'LAMBDA_RUNTIME_NAME', 'DOTNET_ROOT', 'AWS_EXECUTION_ENV',
    '_LAMBDA_TELEMETRY_LOG_FD', '_LAMBKIN_PARKED_FD', '_LAMBKIN_ROOM', 'TZ', 'PWD'];
  await lk.create('look', files, { ...options, MemorySize: 256, env: { MINE: 'ä=b', EMPTY: '' } });
  const ordinary = await lk.call('look', names);
  assert.equal(ordinary.env.MINE, 'ä=b');
  assert.equal(ordinary.env.AWS_EXECUTION_ENV, 'AWS_Lambda_dotnet8');
  assert.equal(ordinary.env._LAMBKIN_PARKED_FD ?? null, null);
  assert.equal(ordinary.limit, 256);
  assert.equal(ordinary.cwd, '/var/task');
  const waiting = await until(async () => {
    const { parked } = await (await fetch(`${lk.endpoint}/_lambkin/health`)).json();
    return parked > 0 && lk.parked.length === parked && lk.parked;
  }, 'a parked .NET');
  await fetch(`${lk.endpoint}/_lambkin/cold/look`, { method: 'POST' });
  assert.deepEqual(await lk.call('look', names), ordinary);
  assert.ok(waiting.some((pid) => lk.payloads.includes(pid)), 'it ran in the parked one');
});

test('a .NET function that fails says how, with a log', { skip }, async () => {
  await lk.create('errors', files, { ...options, handler: 'Tests::Tests.Errors::Throw', MemorySize: 256 });
  const answer = await lk.invoke('errors', 'plain');
  assert.equal(answer.json.errorType, 'Custom');
  assert.match(answer.tail, /\tfail\tTests\.Custom: böse/);
  assert.equal((await lk.invoke('errors', 'exit')).json.errorType, 'Runtime.ExitError');
  assert.equal(await lk.call('errors', 'after'), 'after');
});

test('a .NET init that fails is what the caller sees', { skip }, async () => {
  await lk.create('broken', files, { ...options, handler: 'Tests::Tests.None::Text' });
  assert.deepEqual([(await lk.invoke('broken', {})).json].map(({ errorType, errorMessage }) => [errorType, errorMessage]),
    [['LambdaValidationException', "Unable to load type 'Tests.None' from assembly 'Tests'."]]);
});
