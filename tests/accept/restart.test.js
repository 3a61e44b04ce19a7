/* What was acknowledged is there after any kind of end; nothing of the environments is. */
'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Lambkin, PUPPET, until, zip } = require('./lib/lambkin');

const py = (code) => ({ code });

async function fill(lk) {
  await lk.create('one', PUPPET, { env: { A1: 'x' }, Tags: { k: 'v' }, Description: 'first' });
  await lk.create('two', { 'index.js': 'exports.handler = async (e) => e;\n' }, { runtime: 'nodejs20.x', handler: 'index.handler' });
  await lk.create('gone', PUPPET);
  await lk.configure('one', { Description: 'second' });
  await lk.api('DELETE', '/2015-03-31/functions/gone');
  await lk.call('one', py('subprocess.Popen(["sleep", "1000"], start_new_session=True)'));
  await lk.call('two', 1);
}

async function state(lk) {
  const names = ['one', 'two'];
  const functions = await Promise.all(names.map(async (n) => (await lk.api('GET', `/2015-03-31/functions/${n}`)).json));
  const codes = await Promise.all(functions.map(async (f) => Buffer.from(await (await fetch(f.Code.Location)).arrayBuffer()).toString('base64')));
  const { json } = await lk.api('GET', '/2015-03-31/functions');
  return { functions: functions.map((f) => ({ ...f, Code: undefined })), codes, list: json.Functions.map((f) => f.FunctionName).sort() };
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL']) {
  test(`${signal}: functions are kept, environments are gone`, async () => {
    const lk = await Lambkin.start();
    try {
      await fill(lk);
      const before = await state(lk);
      assert.deepEqual(before.list, ['one', 'two']);
      lk.note();
      await lk.signal(signal);
      lk.started = { cgroups: [] };
      await until(() => !lk.left().some((l) => l.startsWith('pid')), 'every process to be gone');
      await lk.begin();
      assert.deepEqual(await state(lk), before);
      assert.deepEqual(await lk.call('one', py('result = [os.environ["A1"], os.listdir("/tmp") in ([], ["lost+found"])]')), ['x', true]);
      assert.equal(await lk.call('two', 5), 5);
    } finally {
      await lk.stop();
    }
  });
}

test('SIGTERM lets running calls finish; a second one does not wait', async () => {
  const lk = await Lambkin.start();
  await lk.create('long', PUPPET, { Timeout: 60 });
  const short = lk.call('long', py('time.sleep(1); result = "done"'));
  await until(async () => lk.payloads.length >= 1, 'the call to run');
  process.kill(lk.process.pid, 'SIGTERM');
  await until(() => fetch(`${lk.endpoint}/_lambkin/health`).then(() => false, () => true), 'the port closed to new calls');
  assert.equal(await short, 'done');
  await lk.stop({ keep: true });
  await lk.begin();
  const long = lk.call('long', py('time.sleep(50)')).catch((e) => e);
  await until(async () => lk.payloads.length >= 1, 'the call to run');
  lk.note();
  const begun = Date.now();
  process.kill(lk.process.pid, 'SIGTERM');
  await until(() => fetch(`${lk.endpoint}/_lambkin/health`).then(() => false, () => true), 'the first one to be heard');
  if (!lk.exited) process.kill(lk.process.pid, 'SIGTERM');
  await until(() => lk.exited, 'the end');
  assert.ok(Date.now() - begun < 15000);
  await long;
  await lk.stop();
});

test('the daemon dies: the launcher ends its sandboxes and starts it again', async () => {
  const lk = await Lambkin.start();
  try {
    await fill(lk);
    lk.note();
    const old = lk.daemon;
    const payloads = lk.payloads;
    assert.ok(payloads.length > 0);
    process.kill(old, 'SIGKILL');
    await until(() => lk.daemon && lk.daemon !== old, 'another daemon');
    await until(() => payloads.every((p) => !lk.pids.includes(p)), 'the sandboxes to go');
    await until(() => lk.api('GET', '/2015-03-31/functions').then((a) => a.status === 200, () => false), 'answers');
    assert.equal(await lk.call('two', 7), 7);
    assert.deepEqual((await state(lk)).list, ['one', 'two']);
  } finally {
    await lk.stop();
  }
});

test('an update in flight at the end is settled by the next start', async () => {
  const lk = await Lambkin.start({ flags: ['--update-ms', '60000', '--pending-ms', '60000'] });
  try {
    const answer = await lk.api('POST', '/2015-03-31/functions', { FunctionName: 'flight', Runtime: 'python3.11', Handler: 'app.handler',
      Role: 'arn:aws:iam::000000000000:role/any', Code: { ZipFile: zip(PUPPET).toString('base64') } });
    assert.equal(answer.status, 201, answer.text);
    await lk.signal('SIGKILL');
    await lk.begin();
    await lk.settled('flight');
    assert.equal(await lk.call('flight', py('result = 1')), 1);
  } finally {
    await lk.stop();
  }
});

test('two daemons do not share a data folder; a port that is taken is said', async () => {
  const lk = await Lambkin.start();
  try {
    const second = await Lambkin.start({ dir: lk.dir }).then(() => assert.fail('started'), (e) => e);
    assert.match(second.message, /in use|locked|another/i);
  } finally {
    await lk.stop();
  }
});
