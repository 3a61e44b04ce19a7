/* Parked runtimes: what a function sees in one is what an ordinary start shows, and none serves twice. */
'use strict';
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test, before, after } = require('node:test');
const { Lambkin, until, read } = require('./lib/lambkin');

const LOOK_PYTHON = `
import sys
MODULES = sorted(sys.modules)
import os, random, resource, signal
SEED = random.random()
def read(path):
    with open(path, "rb") as file: return file.read().decode("utf-8", "replace")
def handler(event, context):
    fds = {}
    for fd in os.listdir("/proc/self/fd"):
        try: fds[fd] = os.readlink("/proc/self/fd/" + fd).split(":")[0]
        except OSError: pass
    mounts = sorted(" ".join(line.split()[4:6]) for line in read("/proc/self/mountinfo").splitlines())
    status = {k: v for k, _, v in (line.partition(":") for line in read("/proc/self/status").splitlines())
              if k.startswith(("Sig", "Shd", "Cap", "Uid", "Gid", "Groups", "Umask", "Seccomp", "NoNewPrivs", "Threads"))}
    return {"seed": SEED, "hash": hash("lambkin"), "pid": os.getpid(), "modules": MODULES, "path": sys.path, "argv": sys.argv,
            "orig": sys.orig_argv, "env": dict(os.environ), "environ": sorted(filter(None, read("/proc/self/environ").split("\\0"))),
            "cmdline": read("/proc/self/cmdline"), "cwd": os.getcwd(), "limits": read("/proc/self/limits"), "fds": fds,
            "mounts": mounts, "status": status, "oom": read("/proc/self/oom_score_adj"), "handlers": [str(signal.getsignal(s)) for s in sorted(signal.valid_signals())],
            "processes": sorted(p for p in os.listdir("/proc") if p.isdigit()).__len__(), "tmp": os.statvfs("/tmp").f_blocks,
            "mnt": os.listdir("/mnt"), "opt": os.listdir("/opt"), "comm": read("/proc/self/comm")}
`;
const LOOK_NODE = `
const modules = Object.keys(require.cache).sort();
const found = Object.keys(require('module')._pathCache).filter((key) => !key.includes('/node_modules')).sort();
const kin = module.parent && module.parent.children.map((child) => child.filename).sort();
const fs = require('fs');
const seed = Math.random();
exports.handler = async () => {
  const read = (path) => fs.readFileSync(path, 'utf8');
  const fds = {};
  for (const fd of fs.readdirSync('/proc/self/fd')) {
    try { fds[fd] = fs.readlinkSync('/proc/self/fd/' + fd).split(':')[0]; } catch { /* the folder's own */ }
  }
  return { seed, modules, found, kin, argv: process.argv, execArgv: process.execArgv, env: { ...process.env }, cwd: process.cwd(), fds,
    environ: read('/proc/self/environ').split('\\0').filter(Boolean).sort(), cmdline: read('/proc/self/cmdline'),
    limits: read('/proc/self/limits'), umask: process.umask(), title: process.title, tmp: fs.statfsSync('/tmp').blocks,
    mounts: read('/proc/self/mountinfo').split('\\n').map((l) => l.split(' ').slice(4, 6).join(' ')).sort(),
    listeners: process.eventNames().map(String).sort(), paths: module.paths, main: require.main && require.main.filename,
    status: read('/proc/self/status').split('\\n').filter((l) => /^(Sig|Shd|Cap|Uid|Gid|Groups|Umask|Seccomp|NoNewPrivs)/.test(l)) };
};
`;
const LOOK_RUBY = `
LOADED = $LOADED_FEATURES.dup
SEED = rand
require 'etc'
def handler(event:, context:)
  fds = Dir.children('/proc/self/fd').to_h { |fd| [fd, (File.readlink("/proc/self/fd/#{fd}") rescue '').split(':').first] }
  status = File.readlines('/proc/self/status').grep(/^(Sig|Shd|Cap|Uid|Gid|Groups|Umask|Seccomp|NoNewPrivs|Threads)/)
  mounts = File.readlines('/proc/self/mountinfo').map { |line| line.split(' ')[4, 2].join(' ') }.sort
  { seed: SEED, hash: 'lambkin'.hash, pid: $$, loaded: LOADED, path: $LOAD_PATH, argv: ARGV, program: $0, env: ENV.to_h,
    gems: Gem.loaded_specs.keys.sort, gem_path: Gem.path, encodings: [Encoding.default_external, Encoding.default_internal].map(&:to_s),
    environ: File.binread('/proc/self/environ').split("\\0").reject(&:empty?).map { |s| s.force_encoding('UTF-8') }.sort,
    cmdline: File.read('/proc/self/cmdline'), cwd: Dir.pwd, limits: File.read('/proc/self/limits'), fds: fds, mounts: mounts,
    status: status, threads: Thread.list.size, features: $".size, constants: Object.constants.map(&:to_s).sort, umask: File.umask,
    traps: %w[INT TERM HUP USR1 CHLD].map { |name| previous = trap(name, 'DEFAULT'); trap(name, previous); previous.to_s },
    comm: File.read('/proc/self/comm') }
end
`;
const LOOKS = [
  ['python', { 'app.py': LOOK_PYTHON }, { runtime: 'python3.11', handler: 'app.handler' }],
  ['ruby', { 'app.rb': LOOK_RUBY }, { runtime: 'ruby3.3', handler: 'app.handler' }],
  ['node', { 'index.js': LOOK_NODE }, { runtime: 'nodejs18.x', handler: 'index.handler' }],
];

/* Whether the build could make an archive for this Java; without a namespace of its own it cannot. */
const isArchived = (java) => fs.existsSync(path.join(__dirname, '../../runtimes/java/archives', java));

/* Java needs a compiler; without one its row is missing. */
function compiled() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'lambkin-look-'));
  const jar = path.join(folder, 'look.jar');
  try {
    execFileSync(path.join(__dirname, '../../tools/compile-java'), [jar, path.join(__dirname, 'parking/Look.java')]);
    return fs.existsSync(jar) && fs.readFileSync(jar);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
const jar = compiled();
assert.ok(jar || process.env.LK_MUST_RUN !== '1', 'a JDK');
if (jar) LOOKS.push(['java', { 'lib/look.jar': jar }, { runtime: 'java17', handler: 'look.Look::look' }]);

/* .NET needs its SDK, in the same way. */
function published() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'lambkin-look-'));
  try {
    execFileSync(path.join(__dirname, '../support/dotnet/build'), [folder, 'Look', path.join(__dirname, 'parking/Look.cs')]);
    return Object.fromEntries(fs.readdirSync(folder).map((file) => [file, fs.readFileSync(path.join(folder, file))]));
  } catch (error) {
    if (error.status === 77) return undefined;
    throw error;
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
const assemblies = published();
assert.ok(assemblies || process.env.LK_MUST_RUN !== '1', 'a .NET SDK');
if (assemblies) LOOKS.push(['dotnet', assemblies, { runtime: 'dotnet8', handler: 'Look::Look::See' }]);

/* `make asan` asks for a few: what it looks for is in the daemon. */
const chosen = (process.env.LAMBKIN_LANGUAGES || '').replace('nodejs', 'node').split(' ');
const ASKED = LOOKS.filter(([name]) => !process.env.LAMBKIN_LANGUAGES || chosen.includes(name));

let pooled;
let plain;
before(async () => {
  [pooled, plain] = await Promise.all([Lambkin.start({}), Lambkin.start({ flags: ['--parked-mb', '0'] })]);
});
after(() => Promise.all([pooled.stop(), plain.stop()]));

/* the pids of those that have booted: all of them, and one of this language at least */
const parked = (language) => until(async () => {
  const { parked: count } = await (await fetch(`${pooled.endpoint}/_lambkin/health`)).json();
  const pids = pooled.parked;
  return pids.length === count && pids.some((pid) => read(`/proc/${pid}/cmdline`).includes(language)) && pids;
}, `a parked runtime of ${language}`);

/* of the one that forks: its pid; undefined if there is none, or a fork that looks like it for a moment */
const zygote = (lk, language) => {
  const found = lk.zygotes.filter((pid) => {
    try { return read(`/proc/${pid}/cmdline`).includes(language); } catch { return false; /* it is gone */ }
  });
  return found.length === 1 ? found[0] : undefined;
};

/* The first cold start of a kind boots one for the next. */
async function warmUp(lk, name, files, options) {
  await lk.create(`${name}-first`, files, options);
  await lk.call(`${name}-first`, {});
}

/* What differs from one environment to the next, whichever way it starts. */
function plainly(look, name) {
  const text = JSON.stringify({ ...look, seed: 0, hash: 0 });
  return JSON.parse(text.replaceAll(name, 'NAME').replace(/\[\$LATEST\][0-9a-f]{32}/g, 'STREAM')
    .replace(/\d{4}\/\d\d\/\d\d\//g, 'DAY/').replace(/127\.0\.0\.1:\d+/g, 'HOST')
    .replace(/Root=[^"\\]*/g, 'TRACE').replace(/(ACCESS_KEY(_ID)?|SESSION_TOKEN)(=|":")[^"]*/g, '$1$3SECRET'));
}

for (const [name, files, options] of ASKED) {
  test(`${name}: what a function sees in a parked runtime is what it sees elsewhere`, async () => {
    await warmUp(pooled, name, files, options);
    const waiting = await parked(name);
    const looks = [];
    for (const lk of [plain, pooled]) {
      await lk.create(`${name}-look`, files, { ...options, env: { COLOUR: 'blau', EMPTY: '', UNICODE: 'Grün=ß' } });
      looks.push(await lk.call(`${name}-look`, {}));
    }
    assert.ok(waiting.some((pid) => pooled.payloads.includes(pid)), 'the second one ran in a parked runtime');
    assert.equal(looks[0].env.UNICODE, 'Grün=ß');
    const [ordinary, other] = looks.map((look) => plainly(look, `${name}-look`));
    for (const key of Object.keys(ordinary)) assert.deepEqual(other[key], ordinary[key], key);
    assert.notEqual(looks[0].seed, looks[1].seed);
    if (name === 'java') assert.equal(ordinary.archives, isArchived(ordinary.cmdline[0]) ? 1 : 0, 'the archive that was built is used');
  });

  test(`${name}: each function gets a runtime of its own`, async () => {
    await warmUp(pooled, `${name}-own`, files, options);
    const served = [];
    for (const which of ['a', 'b', 'c']) {
      const waiting = await parked(name);
      await pooled.create(`${name}-${which}`, files, { ...options, env: { ONLY: which } });
      const look = await pooled.call(`${name}-${which}`, {});
      assert.equal(look.env.ONLY, which);
      const taken = waiting.filter((pid) => pooled.payloads.includes(pid));
      assert.equal(taken.length, 1);
      assert.ok(!served.some((s) => s.pid === taken[0] || s.seed === look.seed), 'one that nobody had');
      served.push({ pid: taken[0], seed: look.seed });
    }
  });
}

for (const [name, files, options] of LOOKS.slice(0, 2)) {
  test(`${name}: what a function sees in a fork that was made for it is what it sees elsewhere`, async () => {
    const few = await Lambkin.start({ flags: ['--max-sandboxes', '8'] }); // one is left for those that are ahead of functions
    try {
      await warmUp(few, `${name}-first`, files, options);
      await until(() => zygote(few, name), 'one that forks');
      const env = { COLOUR: 'blau', EMPTY: '', UNICODE: 'Grün=ß' };
      const names = ['a', 'b', 'c'].map((which) => `${name}-burst-${which}`);
      await Promise.all(names.map((fn) => few.create(fn, files, { ...options, env })));
      await plain.create(names[0], files, { ...options, env });
      const look = await plain.call(names[0], {});
      const looks = await Promise.all(names.map((fn) => few.call(fn, {})));
      const ordinary = plainly(look, names[0]);
      looks.forEach((other, i) => {
        const forked = plainly(other, names[i]);
        for (const key of Object.keys(ordinary)) assert.deepEqual(forked[key], ordinary[key], key);
      });
      assert.equal(few.parked.length, 0);
      assert.equal(new Set(looks.map(({ hash }) => hash)).size, 1, 'all of them forks');
      assert.notEqual(looks[0].hash, look.hash);
      assert.equal(new Set(looks.map(({ seed }) => seed)).size, 3, 'with random numbers of their own');
    } finally {
      await few.stop();
    }
  });
}

test('one that forks and dies is replaced, and nobody notices', async () => {
  const [name, files, options] = LOOKS[0];
  await warmUp(pooled, `${name}-forked`, files, options);
  for (let i = 0; i < 2; i++) {
    await parked(name);
    const dead = await until(() => zygote(pooled, name), 'one that forks');
    process.kill(dead, 'SIGKILL');
    await pooled.create(`orphan-${i}`, files, options);
    assert.equal((await pooled.call(`orphan-${i}`, {})).env.AWS_LAMBDA_FUNCTION_NAME, `orphan-${i}`);
    await until(() => ![undefined, dead].includes(zygote(pooled, name)), 'the next one');
  }
});

test('one that forks and does not answer is replaced, and its functions start without', async () => {
  const [name, files, options] = LOOKS[0];
  const few = await Lambkin.start({ flags: ['--max-sandboxes', '8'] });
  try {
    await warmUp(few, `${name}-first`, files, options);
    const stopped = await until(() => { // one that still boots is waited for much longer
      const pid = zygote(few, name);
      return pid && /\) S /.test(read(`/proc/${pid}/stat`)) && pid;
    }, 'one that waits to fork');
    process.kill(stopped, 'SIGSTOP');
    await few.create('unanswered', files, options);
    assert.equal((await few.call('unanswered', {})).env.AWS_LAMBDA_FUNCTION_NAME, 'unanswered');
    await until(() => ![undefined, stopped].includes(zygote(few, name)), 'the next one');
  } finally {
    await few.stop();
  }
});

test('a function whose extension fails does not cost the others the one that forks', async () => {
  const [name, files, options] = LOOKS[0];
  const few = await Lambkin.start({ flags: ['--max-sandboxes', '8'] });
  try {
    await warmUp(few, `${name}-first`, files, options);
    const before = await until(() => zygote(few, name), 'one that forks');
    const extension = '#!/bin/sh\n[ -e /tmp/seen ] || { : >/tmp/seen; exit 1; }\nexec /var/task/extension.py\n';
    const registers = '#!/usr/bin/python3\nimport http.client, os\n'
      + 'c = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])\n'
      + 'c.request("POST", "/2020-01-01/extension/register", \'{"events": []}\', {"Lambda-Extension-Name": "fails-once"})\nr = c.getresponse()\nr.read()\n'
      + 'c.request("GET", "/2020-01-01/extension/event/next", headers={"Lambda-Extension-Identifier": r.getheader("Lambda-Extension-Identifier")})\nc.getresponse()\n';
    const layer = await few.layer('fails-once', { 'extensions/fails-once': { data: extension, mode: 0o755 } });
    await few.create('extended', { ...files, 'extension.py': { data: registers, mode: 0o755 } }, { ...options, Layers: [layer] });
    const { env } = await few.call('extended', {});
    assert.equal(env.AWS_LAMBDA_FUNCTION_NAME, 'extended', 'the second init of its sandbox');
    assert.match((await few.cli(['logs', 'extended'])).stdout, /Phase: init\tStatus: error\tError Type: Extension/);
    assert.equal(zygote(few, name), before);
  } finally {
    await few.stop();
  }
});

/* Counted, not timed: what a fork shares costs a fault for each page that it comes to use. */
test('a fork that waits has copied what its function will write to', async () => {
  const [name, , options] = LOOKS[0];
  await warmUp(pooled, `${name}-pages`, { 'app.py': 'def handler(event, context): return event\n' }, { ...options, handler: 'app.handler' });
  await until(() => zygote(pooled, name), 'one that forks');
  const faults = (pid) => Number(read(`/proc/${pid}/stat`).split(') ')[1].split(' ')[7]);
  await pooled.create('pages', { 'app.py': 'def handler(event, context): return event\n' }, { ...options, handler: 'app.handler' });
  const waiting = (await parked(name)).map((pid) => [pid, faults(pid)]);
  assert.deepEqual(await pooled.call('pages', { x: 1 }), { x: 1 });
  const [taken, before] = waiting.find(([pid]) => pooled.payloads.includes(pid) && !pooled.parked.includes(pid));
  assert.ok(before > 500, `${before} faults while it waited`);
  const more = faults(taken) - before;
  assert.ok(more < 200, `${more} faults more until the answer was out`);
});

/* its share of the processor, 1024 is the usual one; undefined where no cgroup can give one */
function shares(pid) {
  for (const line of read(`/proc/${pid}/cgroup`).split('\n')) {
    const [, controllers, below] = line.split(':');
    const v1 = (controllers || '').split(',').includes('cpu');
    const files = [[v1, `/sys/fs/cgroup/cpu${below}/cpu.shares`, 1], [controllers === '', `/sys/fs/cgroup${below}/cpu.weight`, 10.24]];
    for (const [fits, file, unit] of files) if (fits && fs.existsSync(file)) return Math.round(Number(read(file)) * unit);
  }
  return undefined;
}

test('what is booted ahead leaves the processor to functions, until it is one', async (t) => {
  const [name, files, options] = LOOKS[0];
  for (const cpu of ['weight', 'aws']) {
    const lk = await Lambkin.start({ flags: ['--cpu', cpu, '--spares', '1'] });
    try {
      await warmUp(lk, `${name}-${cpu}`, files, options);
      const waiting = await until(async () => {
        const { parked: count } = await (await fetch(`${lk.endpoint}/_lambkin/health`)).json();
        return count > 0 && lk.parked.length === count && lk.parked;
      }, 'one that is parked');
      if (shares(waiting[0]) === undefined && process.env.LK_MUST_RUN !== '1') return t.skip('no cgroup for processors');
      await until(() => waiting.every((pid) => shares(pid) < 20), 'a small share');
      assert.equal(shares(await until(() => zygote(lk, name), 'the one that forks')), 1024, 'functions wait for it');
      await lk.create(`large-${cpu}`, files, { ...options, MemorySize: 1769 });
      await lk.call(`large-${cpu}`, {});
      const taken = waiting.filter((pid) => lk.payloads.includes(pid));
      assert.deepEqual(taken.map(shares), [1024], cpu);
    } finally {
      await lk.stop();
    }
  }
});

test('without zygotes each runtime is started on its own', async () => {
  const [name, files, options] = LOOKS[0];
  const lk = await Lambkin.start({ flags: ['--zygotes', 'false'] });
  try {
    await warmUp(lk, name, files, options);
    await until(() => lk.parked.length > 1, 'parked ones');
    assert.equal(lk.zygotes.length, 0);
    await lk.create('alone', files, options);
    await lk.create('apart', files, options);
    const [a, b] = [await lk.call('alone', {}), await lk.call('apart', {})];
    assert.notEqual(a.hash, b.hash);
  } finally {
    await lk.stop();
  }
});

test('variables that an interpreter reads when it starts get an ordinary start', async () => {
  const [name, files, options] = LOOKS[0];
  await warmUp(pooled, `${name}-start`, files, options);
  for (const [variable, value, check] of [['PYTHONHASHSEED', '7', (look) => look.hash], ['LD_BIND_NOW', '1', () => 0],
    ['PYTHONVERBOSE', '', () => 0], ['LANG', 'C', () => 0]]) {
    const waiting = await parked(name);
    const env = { [variable]: value };
    const looks = [];
    for (const lk of [plain, pooled]) {
      const fn = `start-${variable.toLowerCase().replaceAll('_', '-')}`;
      await lk.create(fn, files, { ...options, env });
      looks.push(await lk.call(fn, {}));
    }
    assert.equal(looks[1].env[variable], value);
    assert.equal(check(looks[1]), check(looks[0]));
    assert.ok(!waiting.some((pid) => pooled.payloads.includes(pid)), `${variable}: no parked runtime was taken`);
  }
});

test('an exec wrapper gets an ordinary start', async () => {
  const [name, files, options] = LOOKS[0];
  await warmUp(pooled, `${name}-wrapped`, files, options);
  const waiting = await parked(name);
  const wrapper = { data: '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n', mode: 0o755 };
  await pooled.create('wrapped', { ...files, wrap: wrapper }, { ...options, env: { AWS_LAMBDA_EXEC_WRAPPER: '/var/task/wrap' } });
  assert.equal((await pooled.call('wrapped', {})).env.WRAPPED, 'yes');
  assert.ok(!waiting.some((pid) => pooled.payloads.includes(pid)));
});

test('parked runtimes that die are replaced, and nobody notices', async () => {
  const [name, files, options] = LOOKS[0];
  await warmUp(pooled, `${name}-dead`, files, options);
  for (let i = 0; i < 3; i++) {
    const waiting = await parked(name);
    for (const pid of waiting) process.kill(pid, 'SIGKILL');
    await pooled.create(`after-${i}`, files, options);
    assert.equal((await pooled.call(`after-${i}`, {})).env.AWS_LAMBDA_FUNCTION_NAME, `after-${i}`);
    await until(() => waiting.every((pid) => !pooled.pids.includes(pid)), 'the dead to be cleared away');
  }
  await parked(name);
});

test('none are parked if there is no memory for them', async () => {
  const [name, files, options] = LOOKS[0];
  await warmUp(plain, `${name}-none`, files, options);
  const health = await (await fetch(`${plain.endpoint}/_lambkin/health`)).json();
  assert.deepEqual([health.parked, health.parked_bytes, plain.parked.length], [0, 0, 0]);
});
