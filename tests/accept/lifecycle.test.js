/* The life of environments: reuse, parallel calls, freezing, timeouts, resets, replacement, retirement. */
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test, before, after } = require('node:test');
const { CloudWatchLogsClient, FilterLogEventsCommand } = require('@aws-sdk/client-cloudwatch-logs');
const { Lambkin, PUPPET, until, zip } = require('./lib/lambkin');

let lk;
before(async () => { lk = await Lambkin.start({ flags: ['--freeze-delay-ms', '20'] }); });
after(() => lk.stop());

const py = (code) => ({ code });

test('an environment is used again, the most recently used first', async () => {
  await lk.create('reuse', PUPPET);
  assert.equal(await lk.call('reuse', py('result = G["calls"]')), 1);
  assert.equal(await lk.call('reuse', py('result = G["calls"]')), 2);
});

test('parallel calls run in environments of their own, at the same time', async () => {
  await lk.create('parallel', PUPPET);
  /* Each holds its environment until a moment that all have time to begin before. */
  const meet = py(`t = time.time(); time.sleep(max(0, ${Date.now() / 1000 + 3} - t)); result = [t, time.time(), os.stat("/tmp").st_ino, G["calls"]]`);
  const got = await Promise.all(Array.from({ length: 8 }, () => lk.call('parallel', meet)));
  const latestStart = Math.max(...got.map((g) => g[0]));
  const firstEnd = Math.min(...got.map((g) => g[1]));
  assert.ok(latestStart < firstEnd, 'all overlap');
  assert.deepEqual(new Set(got.map((g) => g[3])), new Set([1]));
});

test('a timeout: AWS\'s words, /tmp kept, globals gone, background processes gone', async () => {
  await lk.create('slow', PUPPET, { Timeout: 1 });
  await lk.call('slow', py('open("/tmp/kept", "w").write("yes"); G["x"] = 1'));
  const begun = Date.now();
  const answer = await lk.invoke('slow', py('subprocess.Popen(["sleep", "1000"]); time.sleep(100)'));
  const took = Date.now() - begun;
  const id = answer.headers['x-amzn-requestid'];
  assert.equal(answer.status, 200);
  assert.equal(answer.error, 'Unhandled');
  assert.equal(answer.text, `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ${id} Error: Task timed out after 1.00 seconds"}`);
  assert.ok(took > 900 && took < 20000, `${took} ms`);
  assert.match(answer.tail, new RegExp(`\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z ${id} Task timed out after 1\\.00 seconds\n\n`));
  assert.match(answer.tail, new RegExp(`REPORT RequestId: ${id}\tDuration: 1\\d\\d\\d\\.\\d\\d ms\t.*Status: timeout`));
  assert.deepEqual(await lk.call('slow', py('result = [open("/tmp/kept").read(), G.get("x"), '
    + 'sorted(p for p in os.listdir("/proc") if p.isdigit() and open("/proc/%s/comm" % p).read() == "sleep\\n")]')),
  ['yes', null, []]);
});

test('a SIGTERM that is ignored does not help', async () => {
  await lk.create('stubborn', PUPPET, { Timeout: 1 });
  const answer = await lk.invoke('stubborn', py('for s in range(1, 32):\n    try: signal.signal(s, signal.SIG_IGN)\n'
    + '    except (OSError, ValueError): pass\nwhile True: time.sleep(1)'));
  assert.equal(answer.json.errorType, 'Sandbox.Timedout');
  assert.equal(await lk.call('stubborn', py('result = 1')), 1);
});

test('background work stops when frozen and continues later', async () => {
  const others = lk.payloads;
  await lk.create('frozen', PUPPET);
  const start = await lk.call('frozen', py([
    'G["n"] = 0', 'def work():', '    while True:', '        G["n"] += 1', '        time.sleep(0.002)',
    'threading.Thread(target=work, daemon=True).start()', 'time.sleep(0.1)', 'result = [G["n"], time.monotonic()]'].join('\n')));
  assert.ok(start[0] > 5, `${start[0]} rounds`);
  await lk.frozen(lk.payloads.filter((pid) => !others.includes(pid)));
  const later = await lk.call('frozen', py('result = [G["n"], time.monotonic()]'));
  assert.ok(later[1] - start[1] > 0.5, 'time went by');
  await lk.call('frozen', py(`end = time.monotonic() + 8\nwhile G["n"] < ${later[0] + 20} and time.monotonic() < end: time.sleep(0.01)\nassert G["n"] >= ${later[0] + 20}`));
});

test('updates: running calls finish on the old, later ones run on the new', async () => {
  await lk.create('update', zip({ 'app.py': `${PUPPET['app.py']}\nV = 1\n` }));
  await lk.call('update', py('pass'));
  const running = lk.call('update', py('open("/tmp/x", "w"); time.sleep(1.5); result = V'));
  await until(async () => lk.payloads.length > 0, 'the call to run');
  const answer = await lk.api('PUT', '/2015-03-31/functions/update/code',
    { ZipFile: zip({ 'app.py': `${PUPPET['app.py']}\nV = 2\n` }).toString('base64') });
  assert.equal(answer.status, 200, answer.text);
  await lk.settled('update');
  assert.equal(await lk.call('update', py('result = V')), 2);
  assert.equal(await running, 1);
  await lk.configure('update', { Environment: { Variables: { NEW: 'x' } } });
  assert.equal(await lk.call('update', py('result = os.environ.get("NEW")')), 'x');
});

test('a deleted function: the running call finishes, its environments go', async () => {
  await lk.create('doomed', PUPPET);
  await lk.call('doomed', py('pass'));
  const running = lk.call('doomed', py('open("/tmp/marker", "w"); time.sleep(1); result = "finished"'));
  await new Promise((done) => { setTimeout(done, 200); });
  assert.equal((await lk.api('DELETE', '/2015-03-31/functions/doomed')).status, 204);
  assert.equal(await running, 'finished');
});

test('idle environments are retired', async () => {
  const short = await Lambkin.start({ flags: ['--idle-life-ms', '300', '--spares', '0'] });
  try {
    await short.create('idle', PUPPET);
    await short.call('idle', py('subprocess.Popen(["sleep", "1000"])'));
    short.note();
    await until(() => short.payloads.length === 0, 'the environment to go');
    assert.equal(await short.call('idle', py('result = G["calls"]')), 1, 'a new one');
  } finally {
    await short.stop();
  }
});

test('init takes longer than 10 s (here: 500 ms): again under the function\'s timeout', async () => {
  const short = await Lambkin.start({ flags: ['--init-timeout-ms', '500'] });
  try {
    await short.create('init', { 'app.py': 'import time, os\nif not os.path.exists("/tmp/been"):\n    open("/tmp/been", "w")\n'
      + '    time.sleep(30)\ndef handler(e, c):\n    return "late"\n' });
    const answer = await short.invoke('init', {});
    assert.equal(answer.json, 'late', answer.text);
    await short.create('never', { 'app.py': 'import time\ntime.sleep(30)\n' }, { Timeout: 1 });
    const never = await short.invoke('never', {});
    assert.equal(never.json.errorType, 'Sandbox.Timedout', never.text);
  } finally {
    await short.stop();
  }
});

test('at the limit of the account: 429', async () => {
  const small = await Lambkin.start({ flags: ['--account-concurrency', '2'] });
  try {
    await small.create('busy', PUPPET);
    const running = [small.call('busy', py('time.sleep(2); result = 1')), small.call('busy', py('time.sleep(2); result = 1'))];
    const refused = await until(async () => {
      const answer = await small.invoke('busy', py('result = 1'));
      return answer.status === 429 && answer;
    }, 'a refusal', 3000);
    assert.equal(refused.headers['x-amzn-errortype'], 'TooManyRequestsException');
    assert.deepEqual(refused.json, { Reason: 'ConcurrentInvocationLimitExceeded', Type: 'User', message: 'Rate Exceeded.' });
    assert.deepEqual(await Promise.all(running), [1, 1]);
    assert.equal(await small.call('busy', py('result = 1')), 1, 'admitted again');
    const limits = (await small.api('GET', '/2016-08-19/account-settings')).json.AccountLimit;
    assert.equal(limits.ConcurrentExecutions, 2);
  } finally {
    await small.stop();
  }
});

test('/tmp: the size asked for, exactly; an error when full; other functions do not see it', async () => {
  await lk.create('tmp', PUPPET, { EphemeralStorage: { Size: 512 }, Timeout: 60 });
  const space = await lk.call('tmp', py('s = os.statvfs("/tmp"); result = [s.f_bavail * s.f_frsize, oct(os.stat("/tmp").st_mode)]'));
  const size = 512 * 1024 * 1024;
  assert.ok(space[0] >= size && space[0] <= size + 65536, `${space[0]} bytes of ${size}`);
  assert.match(space[1], /777$/);
  const full = await lk.call('tmp', py('n = 0\ntry:\n    with open("/tmp/fill", "wb", buffering=0) as f:\n        while n < 1 << 30: n += f.write(b"x" * 1048576)\n'
    + 'except OSError as e:\n    result = [e.errno, n]'));
  assert.ok([27, 28].includes(full[0]), 'EFBIG or ENOSPC');
  assert.ok(full[1] >= size * 0.99 && full[1] <= size + 65536, `${full[1]} written`);
  assert.equal(await lk.call('tmp', py('os.unlink("/tmp/fill"); open("/tmp/ok", "w").write("x"); result = 1')), 1);
  await lk.create('tmp2', PUPPET);
  assert.deepEqual(await lk.call('tmp2', py('result = [f for f in os.listdir("/tmp") if f != "lost+found"]')), []);
  await lk.create('tmp3', PUPPET, { EphemeralStorage: { Size: 1024 } });
  assert.ok(await lk.call('tmp3', py('s = os.statvfs("/tmp"); result = s.f_bavail * s.f_frsize')) > 1000 * 1024 * 1024);
});

test('/tmp is not function memory', async () => {
  await lk.create('tmpmem', PUPPET, { MemorySize: 128, Timeout: 60 });
  const answer = await lk.invoke('tmpmem', py('with open("/tmp/big", "wb", buffering=0) as f:\n    for _ in range(400): f.write(b"x" * 1048576)\nresult = 1'));
  assert.equal(answer.error, undefined, answer.text);
});

test('memory: the whole environment, killed when over, the next call works', async () => {
  await lk.create('oom', PUPPET, { MemorySize: 128, Timeout: 30 });
  await lk.call('oom', py('open("/tmp/kept", "w").write("yes")'));
  const answer = await lk.invoke('oom', py('x = []\nwhile True: x.append(b"x" * 1048576)'));
  assert.equal(answer.status, 200);
  assert.equal(answer.error, 'Unhandled');
  assert.match(answer.json.errorType, /^Runtime\.(ExitError|OutOfMemory)$/, answer.text);
  assert.equal(answer.json.errorMessage, `RequestId: ${answer.headers['x-amzn-requestid']} Error: Runtime exited with error: signal: killed`);
  assert.match(answer.tail, /REPORT .*Memory Size: 128 MB\tMax Memory Used: (12[0-8]) MB\t.*Status: error\tError Type: Runtime\.OutOfMemory/);
  assert.equal(await lk.call('oom', py('result = open("/tmp/kept").read()')), 'yes');
  const child = await lk.invoke('oom', py('p = subprocess.run([sys.executable, "-c", "x=[]\\nwhile True: x.append(b\'x\'*1048576)"]); result = p.returncode'));
  assert.ok(child.error === 'Unhandled' || child.json === -9, child.text);
  assert.equal(await lk.call('oom', py('result = 1')), 1);
});

test('the runtime exits after its answer: the answer stands, the next call works', async () => {
  await lk.create('after', PUPPET);
  const answer = await lk.invoke('after', py('threading.Timer(0.05, lambda: os._exit(1)).start(); result = "answered"'));
  assert.equal(answer.json, 'answered');
  assert.equal(await lk.call('after', py('result = 1')), 1);
  assert.equal(await lk.call('after', py('result = 1')), 1);
});

test('the caller hangs up: the call goes on, nothing breaks', async () => {
  await lk.create('hangup', PUPPET);
  await assert.rejects(lk.invoke('hangup', py('time.sleep(0.5); print("to its end")'), {}, { timeout: 100 }));
  const logs = new CloudWatchLogsClient({ endpoint: lk.endpoint, region: 'us-east-1', credentials: { accessKeyId: 'any', secretAccessKey: 'any' } });
  const seen = new FilterLogEventsCommand({ logGroupName: '/aws/lambda/hangup', filterPattern: '"to its end"' });
  await until(async () => (await logs.send(seen).catch(() => ({ events: [] }))).events.length === 1, 'the call to have run to its end');
  logs.destroy();
  assert.equal(await lk.call('hangup', py('result = 1')), 1);
});

test('forty functions, each its own', async () => {
  const code = zip({ 'app.py': 'import os\ndef handler(e, c):\n    return os.environ["ME"]\n' });
  await Promise.all(Array.from({ length: 40 }, (_, i) => lk.create(`many-${i}`, code, { env: { ME: `m${i}` } })));
  const got = await Promise.all(Array.from({ length: 40 }, (_, i) => lk.call(`many-${i}`, {})));
  assert.deepEqual(got, Array.from({ length: 40 }, (_, i) => `m${i}`));
});

test('the log stream of an environment is its own', async () => {
  await lk.create('streams', PUPPET);
  const two = await Promise.all([1, 2].map(() => lk.call('streams', py('time.sleep(2); result = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]'))));
  assert.notEqual(two[0], two[1]);
});

test('cpu: a share of an idle machine is all of it; "aws" gives MemorySize/1769 of a core', async () => {
  const spin = py('a = time.time(); c = time.process_time()\nwhile time.time() - a < 1: pass\nresult = time.process_time() - c');
  await lk.create('weight', PUPPET, { MemorySize: 128 });
  const weight = await lk.call('weight', spin);
  assert.ok(weight > 0.15, `${weight} s of 1 s; "aws" would give 0.072`);
  const aws = await Lambkin.start({ flags: ['--cpu', 'aws'] });
  try {
    await aws.create('quota', PUPPET, { MemorySize: 256, Timeout: 30 });
    const quota = await aws.call('quota', spin);
    assert.ok(quota > 0.05 && quota < 0.3, `${quota} s of 1 s, 0.145 expected`);
  } finally {
    await aws.stop();
  }
});

test('with no spares all of it works the same', async () => {
  const none = await Lambkin.start({ flags: ['--spares', '0'] });
  try {
    await none.create('cold', PUPPET);
    const got = await Promise.all([1, 2, 3].map((n) => none.call('cold', py(`time.sleep(0.2); result = ${n}`))));
    assert.deepEqual(got, [1, 2, 3]);
    assert.ok(fs.existsSync(none.data));
  } finally {
    await none.stop();
  }
});

test('more functions than sandboxes: the one that has been idle longest makes room', async () => {
  const small = await Lambkin.start({ flags: ['--max-sandboxes', '5', '--spares', '1'] });
  try {
    const names = Array.from({ length: 7 }, (_, i) => `f${i}`);
    for (const name of names) await small.create(name, PUPPET); // unpacking finds a sandbox, too
    for (const round of [1, 2]) {
      for (const name of names) assert.equal(await small.call(name, { code: `result = "${name} ${round}"` }), `${name} ${round}`);
    }
    const all = await Promise.all(names.map((name) => small.call(name, { code: 'time.sleep(0.2); result = "together"' })));
    assert.deepEqual(all, names.map(() => 'together'));
  } finally {
    await small.stop();
  }
});
