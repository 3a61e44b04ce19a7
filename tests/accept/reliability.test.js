/* What goes wrong beside and below a function: processes killed at the worst moment, interpreters that change or go, modules
 * in the way, functions that saw at the branch they sit on. The caller gets AWS's error, the next call works, and nothing is
 * left behind. hostile.test.js has what uses up resources; parking.test.js parked runtimes that die. */
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { test, before, after } = require('node:test');
const { Lambkin, PUPPET, cgroups, comm, identity, isRoot, read, until } = require('./lib/lambkin');

const INVOCATIONS = Number(process.env.LK_INVOCATIONS || 50);
const VERSION = /3\.\d+/.exec(spawnSync('/usr/bin/python3', ['--version'], { encoding: 'utf8' }).stdout)[0];
let lk;
before(async () => { lk = await Lambkin.start(); });
after(() => lk.stop());

/* ---- functions ---- */

/* [name, what it runs, the errorType that its caller gets; without one it answers, and answers again]. MAY: it is as right that
 * the runtime ends of what it broke, with this call or the next. */
const MAY = /^Runtime\.(ExitError|TruncatedResponse)$/;
const HANDLERS = [
  ['maps its ids anew', 'for f in ("uid_map", "gid_map", "setgroups"):\n    try: open("/proc/self/" + f, "w").write("0 0 1")\n    except OSError: pass'],
  ['closes standard input, output and error, then prints', 'os.closerange(0, 3)\ntry: print("x")\nexcept OSError: pass', MAY],
  ['closes all descriptors', 'os.closerange(0, 1024)', 'Runtime.ExitError'],
  ['forks, and both return', 'os.fork()', MAY],
  ['forks, and the child alone returns', 'if os.fork(): time.sleep(1); os._exit(0)'],
  ['stops itself', 'os.kill(os.getpid(), signal.SIGSTOP)', 'Sandbox.Timedout'],
  ['signals pid 1 and everybody', 'for p in (1, -1):\n    for s in range(1, 65):\n        try: os.kill(p, s)\n        except OSError: pass', MAY],
  ['never returns', 'while True: time.sleep(60)', 'Sandbox.Timedout'],
  ['never returns in C', 'import ctypes; ctypes.PyDLL(None).pause()', 'Sandbox.Timedout'],
  ['exits in a thread while it answers', 'threading.Thread(target=lambda: (time.sleep(0.05), os._exit(7))).start(); time.sleep(5)', 'Runtime.ExitError'],
  ['leaves half a frame, and dies', 'os.write(62, bytes.fromhex("a55a00030000000a0000000000000000") + b"half"); os._exit(0)', 'Runtime.ExitError'],
  ['leaves half a frame', 'os.write(62, bytes.fromhex("a55a00030000000a0000000000000000") + b"half")'],
  ['answers half of what it announced', 's = socket.create_connection(os.environ["AWS_LAMBDA_RUNTIME_API"].split(":"))\n'
    + 's.sendall(b"POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\\r\\nContent-Length: 9\\r\\n\\r\\nhalf" % context.aws_request_id.encode()); s.close()', MAY],
  ['talks nonsense to the Runtime API', 'for b in (b"\\0" * 4096, b"GET /" + b"a" * 70000, b"POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\\r\\n\\r\\n"):\n'
    + '    s = socket.create_connection(os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")); s.sendall(b); s.close()'],
  ['empties its folders', 'import shutil\nfor d in ("/tmp", "/var/task", "/opt"): shutil.rmtree(d, ignore_errors=True)'],
];

test('functions that saw at the branch they sit on', async (t) => {
  await Promise.all(HANDLERS.map(([name, code, error], i) => t.test(name, async () => {
    await lk.create(`h${i}`, PUPPET, { Timeout: 3 });
    const answer = await lk.invoke(`h${i}`, { code: `${code}\nresult = "done"` });
    assert.equal(answer.status, 200, answer.text);
    if (typeof error === 'string') assert.equal(answer.json?.errorType, error, answer.text);
    else if (error && answer.error) assert.match(answer.json.errorType, error, answer.text);
    else assert.equal(answer.json, 'done', answer.text);
    const next = answer.error ? answer : await lk.invoke(`h${i}`, { code: 'result = 42' });
    if (!next.error) return assert.equal(next.json, 42, next.text);
    if (error === MAY) assert.match(next.json.errorType, MAY, next.text); /* what it broke showed only then */
    else assert.equal(next, answer, next.text);
    const last = await lk.invoke(`h${i}`, { code: 'print("a line")\nresult = 42' });
    assert.equal(last.json, 42, last.text);
    return assert.match(last.tail, /^a line$/m);
  })));
});

test('threads that a module starts, and a fork while it is loaded', async () => {
  const busy = 'import threading, time, os\ndef f():\n    while True: time.sleep(0.001)\n'
    + 'for _ in range(20): threading.Thread(target=f, daemon=True).start()\nif os.fork() == 0: time.sleep(1000)\n';
  await lk.create('threads', { 'app.py': `${busy}def handler(e, c):\n    return threading.active_count()\n` });
  for (let i = 0; i < 3; i++) assert.equal(await lk.call('threads', {}), 21);
});

/* As on AWS: what its client has loaded by then cannot be replaced, anything else can. */
test("a layer with modules of the interpreter's names", async () => {
  const bad = 'raise SystemExit("not this one")\n';
  const shadow = { 'python/json.py': bad, 'python/traceback.py': bad, 'python/logging/__init__.py': bad, 'python/colorsys.py': 'mine = 1\n' };
  await lk.create('shadowed', { 'app.py': 'import json, logging, traceback, colorsys\n'
    + 'def handler(e, c):\n    logging.warning("seen")\n    if e == "fail": raise ValueError("no")\n    return [json.dumps({}), colorsys.mine]\n' },
  { Layers: [await lk.layer('shadow', shadow)] });
  assert.deepEqual(await lk.call('shadowed', {}), ['{}', 1]);
  const failed = await lk.invoke('shadowed', 'fail');
  assert.equal(failed.json.errorType, 'ValueError', failed.text);
  assert.match(failed.tail, /^\[WARNING\].*seen$/m);
});

/* ---- below the function ---- */

test("an environment's init is killed: while it is idle, and while it works", async () => {
  await lk.create('init', PUPPET);
  const code = 'result = os.getpid()';
  for (const event of [{ code }, { code: 'time.sleep(10)' }]) {
    await lk.call('init', { code });
    const mine = () => lk.payloads.filter((pid) => read(`/proc/${pid}/environ`).includes('AWS_LAMBDA_FUNCTION_NAME=init\0'));
    const [runtime] = mine();
    const init = /^PPid:\s+(\d+)/m.exec(read(`/proc/${runtime}/status`))[1];
    assert.match(comm(init), /lambkin-i/);
    if (event.code === code) {
      process.kill(Number(init), 'SIGKILL');
      await until(() => !fs.existsSync(`/proc/${init}`), 'its end');
      assert.ok(await lk.call('init', { code }) > 0);
      continue;
    }
    const answer = lk.invoke('init', event);
    await until(() => /S/.test(read(`/proc/${runtime}/status`)), 'it to sleep');
    process.kill(Number(init), 'SIGKILL');
    const { json, text } = await answer;
    assert.equal(json.errorType, 'Sandbox.Failure', text);
  }
  assert.ok(await lk.call('init', { code }) > 0);
});

test('the launcher is killed while it starts environments', async () => {
  const one = await Lambkin.start({ flags: ['--spares', '2'] });
  try {
    await one.create('burst', PUPPET);
    const calls = Array.from({ length: 12 }, () => one.invoke('burst', { code: 'time.sleep(0.2)' }).then((a) => a.status, (e) => e.code || e.message));
    await until(() => one.payloads.length > 0, 'the first of them');
    const all = one.pids.map(identity);
    await one.signal('SIGKILL');
    for (const end of await Promise.all(calls)) assert.ok(end === 200 || typeof end === 'string' || end >= 500, `${end}`);
    await until(() => all.every((who) => identity(who.split('/')[0]) !== who), 'all of its processes to end');
    await one.begin();
    assert.equal(await one.call('burst', { code: 'result = 1' }), 1);
  } finally {
    await one.stop();
  }
});

/* A root file system with this host's Python in it, by copy. */
function makeRoot(dir) {
  const real = fs.realpathSync(`/usr/bin/python${VERSION}`);
  const libraries = spawnSync('ldd', [real], { encoding: 'utf8' }).stdout.match(/\/\S+/g);
  for (const file of [real, ...libraries]) {
    const to = path.join(dir, fs.realpathSync(path.dirname(file)), path.basename(file));
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.copyFileSync(file, to);
  }
  for (const name of ['lib', 'lib64']) fs.symlinkSync(`usr/${name}`, path.join(dir, name));
  const skipped = /\/(test|idlelib|tkinter|ensurepip|pydoc_data|config-[^/]*|lib2to3|dist-packages|__pycache__)(\/|$)/;
  fs.cpSync(`/usr/lib/python${VERSION}`, path.join(dir, `usr/lib/python${VERSION}`),
    { recursive: true, verbatimSymlinks: true, filter: (from) => !skipped.test(from) });
  return path.join(dir, real);
}

test('an interpreter is upgraded, removed and installed again under a running lambkin', { skip: !isRoot && 'needs root' }, async () => {
  const dir = fs.mkdtempSync('/var/tmp/lambkin-root-');
  fs.chmodSync(dir, 0o755);
  const interpreter = makeRoot(dir);
  const runtime = `python${VERSION}`;
  const one = await Lambkin.start({ flags: ['--rootfs', `${runtime}=${dir}`] });
  const fresh = async (name) => {
    await one.create(name, { 'app.py': 'import os\ndef handler(e, c): return os.stat("/proc/self/exe").st_ino\n' }, { runtime });
    return one.invoke(name, {});
  };
  const upgrade = () => {
    fs.copyFileSync(interpreter, `${interpreter}.new`);
    fs.chmodSync(`${interpreter}.new`, 0o755);
    fs.renameSync(`${interpreter}.new`, interpreter);
    return fs.statSync(interpreter).ino;
  };
  try {
    const old = fs.statSync(interpreter).ino;
    assert.equal((await fresh('first')).json, old);
    await until(async () => (await (await fetch(`${one.endpoint}/_lambkin/health`)).json()).parked > 0, 'parked ones');
    const now = upgrade();
    assert.notEqual(now, old);
    assert.equal((await fresh('second')).json, now, 'not one that was parked before');
    fs.renameSync(interpreter, `${interpreter}.away`);
    const gone = await fresh('third');
    assert.equal(gone.json.errorType, 'Runtime.InvalidEntrypoint', gone.text);
    assert.equal(await one.call('second', {}), now, 'what runs goes on');
    fs.renameSync(`${interpreter}.away`, interpreter);
    assert.equal((await one.invoke('third', {})).json, now, 'no restart is needed');
  } finally {
    await one.stop();
    fs.rmSync(dir, { recursive: true });
  }
});

/* ---- leaks ---- */

const mixed = [
  ['good', 'result = [0] * 1000'], ['raises', 'raise ValueError("x" * 1000)'], ['exits', 'os._exit(3)'],
  ['late', 'time.sleep(5)'], ['prints', 'print("y" * 5000)\nos.write(62, b"no frame")'], ['writes', 'open("/tmp/f", "ab").write(b"z" * 100000)'],
  ['forks', 'if os.fork() == 0: time.sleep(100)'],
];

function count(one) {
  const pids = one.pids.filter((pid) => /lambkin-(daemon|launch)/.test(comm(pid))).concat(String(one.process.pid));
  const groups = [...new Set(one.pids.filter((pid) => /lambkin/.test(comm(pid))).flatMap((pid) => cgroups(pid)))].filter((dir) => fs.existsSync(dir));
  const files = fs.readdirSync(one.data, { recursive: true }).filter((name) => !/^logs|^log\//.test(name) && !/\.(db|db-wal|db-shm)$/.test(name));
  return {
    descriptors: pids.reduce((n, pid) => n + fs.readdirSync(`/proc/${pid}/fd`).length, 0),
    processes: one.pids.length,
    mounts: pids.reduce((n, pid) => n + read(`/proc/${pid}/mountinfo`).split('\n').length, 0),
    loops: fs.readdirSync('/sys/block').filter((n) => read(`/sys/block/${n}/loop/backing_file`).includes(one.dir)).length,
    cgroups: groups.length,
    files: files.length,
  };
}

/* With the defaults what is booted ahead is counted, too, once it is all there: a leak of parking, of zygotes or of what a
 * cold start takes from them would show. */
const POOLS = [['booted ahead', [], 8], ['started when they are called', ['--parked-mb', '0'], 0]];

async function leavesNothing(flags, parked) {
  const one = await Lambkin.start({ flags });
  const round = async (calls) => {
    await Promise.all(mixed.map(([name]) => one.create(name, PUPPET, { Timeout: 1 })));
    let next = 0;
    await Promise.all(Array.from({ length: 20 }, async () => {
      while (next < calls) {
        const [name, code] = mixed[next++ % mixed.length];
        const answer = await one.invoke(name, { code });
        assert.equal(answer.status, 200, answer.text);
      }
    }));
    await Promise.all(mixed.map(([name]) => one.api('DELETE', `/2015-03-31/functions/${name}`)));
  };
  const settled = async () => {
    await until(async () => {
      const { json } = await one.api('GET', '/_lambkin/health');
      return json.environments === 0 && json.parked === parked;
    }, `all environments to go, and ${parked} to be booted ahead`, 30000);
    one.agent.destroy(); // its connections are the daemon's descriptors, too
    let last = '';
    for (let same = 0; same < 3;) {
      await new Promise((next) => { setTimeout(next, 100); });
      const now = JSON.stringify(count(one));
      same = now === last ? same + 1 : 0;
      last = now;
    }
    return count(one);
  };
  try {
    await round(21);
    const before = await settled();
    await round(INVOCATIONS);
    let after;
    await until(async () => { after = await settled(); return Object.keys(before).every((what) => after[what] <= before[what]); }, 'the same count', 20000)
      .catch(() => assert.deepEqual(after, before));
    if (process.env.LK_INVOCATIONS) console.log({ flags, before, after, rss: read(`/proc/${one.daemon}/status`).match(/VmRSS.*/)[0] });
  } finally {
    await one.stop();
  }
}

test(`${INVOCATIONS} mixed invocations leave nothing behind`, { concurrency: true, timeout: 3600000 },
  (t) => Promise.all(POOLS.map(([name, flags, parked]) => t.test(name, () => leavesNothing(flags, parked)))));
