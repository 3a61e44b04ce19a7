/* The main things again, started by an ordinary user. */
'use strict';
const assert = require('node:assert/strict');
const { test, before, after } = require('node:test');
const { Lambkin, PUPPET, isRoot, spawnSync, until } = require('./lib/lambkin');

const UID = 61234;
const canUserns = !isRoot || spawnSync('setpriv', [`--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', 'unshare', '-Ur', 'true']).status === 0;
const skip = canUserns ? false : 'user namespaces are not allowed here';
if (skip && process.env.LK_MUST_RUN === '1') throw new Error(skip);
const py = (code) => ({ code });
let lk;
before(async () => { if (!skip) lk = await Lambkin.start({ uid: isRoot ? UID : undefined }); });
after(async () => { if (!skip) await lk.stop(); });

test('create, invoke, errors, update, delete', { skip }, async () => {
  assert.match(lk.output, /rootless/i, 'the mode is said at start');
  await lk.create('py', PUPPET);
  assert.equal(await lk.call('py', py('result = 1')), 1);
  await lk.create('js', { 'index.js': 'exports.handler = async (e) => ({ e });\n' }, { runtime: 'nodejs20.x', handler: 'index.handler' });
  assert.deepEqual(await lk.call('js', [1]), { e: [1] });
  assert.equal((await lk.invoke('py', py('raise ValueError("x")'))).json.errorType, 'ValueError');
  assert.equal((await lk.invoke('py', py('os._exit(2)'))).json.errorType, 'Runtime.ExitError');
  await lk.configure('py', { Environment: { Variables: { K1: 'v' } } });
  assert.equal(await lk.call('py', py('result = os.environ["K1"]')), 'v');
  assert.equal((await lk.api('DELETE', '/2015-03-31/functions/js')).status, 204);
});

test('inside: own ids, no capabilities, no way up', { skip }, async () => {
  const status = await lk.call('py', py('result = {l.split(":")[0]: l.split(":")[1].split() for l in open("/proc/self/status").read().splitlines()}'));
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) assert.deepEqual(status[set], ['0000000000000000'], set);
  assert.deepEqual([status.NoNewPrivs, status.Seccomp, status.Uid], [['1'], ['2'], ['1000', '1000', '1000', '1000']]);
  assert.ok(await lk.call('py', py('result = len([p for p in os.listdir("/proc") if p.isdigit()]) < 6')));
});

test('timeout, /tmp quota, parallel calls, background work', { skip }, async () => {
  await lk.create('slow', PUPPET, { Timeout: 1 });
  await lk.call('slow', py('open("/tmp/kept", "w").write("x")'));
  assert.equal((await lk.invoke('slow', py('subprocess.Popen(["sleep", "1000"]); time.sleep(60)'))).json.errorType, 'Sandbox.Timedout');
  assert.equal(await lk.call('slow', py('result = open("/tmp/kept").read()')), 'x');
  const size = await lk.call('py', py('s = os.statvfs("/tmp"); result = s.f_bavail * s.f_frsize'));
  assert.ok(size > 490 << 20 && size <= 512 << 20, `${size}`);
  assert.deepEqual(await Promise.all([1, 2, 3, 4].map((n) => lk.call('py', py(`time.sleep(0.3); result = ${n}`)))), [1, 2, 3, 4]);
});

test('fork bomb', { skip }, async () => {
  await lk.create('fork', PUPPET, { Timeout: 2 });
  assert.equal((await lk.invoke('fork', py('while True:\n    try: os.fork()\n    except OSError: pass'))).error, 'Unhandled');
  assert.equal(await lk.call('fork', py('result = 1')), 1);
});

test('a frozen environment does not run', { skip }, async () => {
  const others = lk.payloads;
  await lk.create('frozen', PUPPET);
  await lk.call('frozen', py('G["n"] = 0\ndef work():\n    while True:\n        G["n"] += 1\n        time.sleep(0.002)\nthreading.Thread(target=work, daemon=True).start()'));
  await lk.frozen(lk.payloads.filter((pid) => !others.includes(pid)));
  assert.ok(await lk.call('frozen', py('result = G["n"]')) > 0);
});

test('restart after kill -9 keeps the functions', { skip }, async () => {
  lk.note();
  await lk.signal('SIGKILL');
  lk.started = { cgroups: [] };
  await until(() => !lk.left().some((l) => l.startsWith('pid')), 'every process to be gone');
  await lk.begin();
  assert.equal(await lk.call('py', py('result = 2')), 2);
});
