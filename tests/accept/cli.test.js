/* What people type: lambkin deploy, invoke, logs, list, delete, doctor, runtimes, serve. */
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { spawn, spawnSync } = require('node:child_process');
const { test, before, after } = require('node:test');
const { Lambkin, BUILD, cgroupMounts, cleanEnv, freePort, isRoot, until, zip } = require('./lib/lambkin');

let lk;
let dir;
before(async () => {
  lk = await Lambkin.start();
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'lambkin-cli-'));
  fs.mkdirSync(path.join(dir, 'fn/lib'), { recursive: true });
  fs.writeFileSync(path.join(dir, 'fn/app.py'),
    'import os\nfrom lib import words\ndef handler(event, context):\n    print("hello log")\n    if event == "fail": raise ValueError("no")\n'
    + '    return {"event": event, "env": os.environ.get("KEY"), "word": words.WORD}\n');
  fs.writeFileSync(path.join(dir, 'fn/lib/words.py'), 'WORD = "one"\n');
});
after(async () => {
  fs.rmSync(dir, { recursive: true });
  await lk.stop();
});

const fn = () => path.join(dir, 'fn');
const deploy = (...more) => lk.cli(['deploy', fn(), '--name', 'cli', '--runtime', 'python3.11', '--handler', 'app.handler', ...more]);

test('deploy a folder, invoke, read the log, list, update, delete', async () => {
  const made = await deploy('--env', 'KEY=v=1', '--env', 'OTHER=x');
  assert.equal(made.code, 0, made.stderr);
  const ran = await lk.cli(['invoke', 'cli', '-d', '{"a": 1}']);
  assert.equal(ran.code, 0, ran.stderr);
  assert.deepEqual(JSON.parse(ran.stdout), { event: { a: 1 }, env: 'v=1', word: 'one' });
  const tail = await lk.cli(['invoke', 'cli', '-d', '5', '--tail']);
  assert.equal(tail.code, 0, tail.stderr);
  assert.match(tail.stdout + tail.stderr, /START RequestId: .*hello log\nEND RequestId: .*REPORT RequestId: /s);
  fs.writeFileSync(path.join(dir, 'event.json'), '{"from": "file"}');
  assert.deepEqual(JSON.parse((await lk.cli(['invoke', 'cli', '-d', `@${dir}/event.json`])).stdout).event, { from: 'file' });
  const log = await lk.cli(['logs', 'cli']);
  assert.equal(log.code, 0, log.stderr);
  assert.match(log.stdout, /hello log/);
  assert.match(log.stdout, /INIT_START|START RequestId/);
  const list = await lk.cli(['list', '--json']);
  assert.equal(list.code, 0, list.stderr);
  assert.ok(JSON.stringify(JSON.parse(list.stdout)).includes('"cli"'));
  assert.match((await lk.cli(['list'])).stdout, /^cli\b.*python3\.11/m);
  fs.writeFileSync(path.join(dir, 'fn/lib/words.py'), 'WORD = "two"\n');
  const again = await deploy('--env', 'KEY=w');
  assert.equal(again.code, 0, again.stderr);
  const after = JSON.parse((await lk.cli(['invoke', 'cli'])).stdout);
  assert.deepEqual([after.word, after.env], ['two', 'w'], 'usable as soon as deploy is back');
  assert.equal((await lk.cli(['delete', 'cli'])).code, 0);
  assert.notEqual((await lk.cli(['invoke', 'cli'])).code, 0);
});

test('deploy a zip', async () => {
  fs.writeFileSync(path.join(dir, 'fn.zip'), zip({ 'app.py': 'def handler(e, c):\n    return "zipped"\n' }));
  const made = await lk.cli(['deploy', path.join(dir, 'fn.zip'), '--name', 'zipped', '--runtime', 'python3.11', '--handler', 'app.handler', '--json']);
  assert.equal(made.code, 0, made.stderr);
  assert.doesNotThrow(() => JSON.parse(made.stdout), made.stdout);
  assert.equal(JSON.parse((await lk.cli(['invoke', 'zipped'])).stdout), 'zipped');
});

test('a function error is a failure of its own kind', async () => {
  assert.equal((await deploy()).code, 0);
  const failed = await lk.cli(['invoke', 'cli', '-d', '"fail"']);
  const missing = await lk.cli(['invoke', 'nobody']);
  const usage = await lk.cli(['invoke']);
  const codes = [failed.code, missing.code, usage.code];
  assert.ok(codes.every((c) => c > 0), codes.join());
  assert.notEqual(failed.code, missing.code, 'a script can tell them apart');
  assert.match(failed.stdout + failed.stderr, /ValueError/);
  assert.match(missing.stderr, /Function not found|no function/i);
  assert.equal(missing.stdout, '');
  assert.match(usage.stderr, /usage|NAME|--help/i);
});

test('errors say what to do next', async () => {
  const noFolder = await lk.cli(['deploy', path.join(dir, 'nowhere'), '--name', 'x', '--runtime', 'python3.11', '--handler', 'a.b']);
  assert.notEqual(noFolder.code, 0);
  assert.match(noFolder.stderr, /nowhere/);
  const noRuntime = await lk.cli(['deploy', fn(), '--name', 'x', '--runtime', 'cobol', '--handler', 'a.b']);
  assert.notEqual(noRuntime.code, 0);
  assert.match(noRuntime.stderr, /cobol/);
  const badJson = await lk.cli(['invoke', 'cli', '-d', '{']);
  assert.notEqual(badJson.code, 0);
  const port = await freePort();
  const down = await lk.cli(['list'], { env: { AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`, LAMBKIN_ENDPOINT: `http://127.0.0.1:${port}` } });
  assert.notEqual(down.code, 0);
  assert.match(down.stderr, /lambkin serve/, 'tells how to start it');
  for (const args of [['fly'], ['--nonsense'], ['list', '--nonsense'], ['serve', '--port', 'many'], ['serve', '--cpu', 'much']]) {
    const bad = await lk.cli(args);
    assert.ok(bad.code > 0, args.join(' '));
    assert.ok(bad.stderr.trim().split('\n').length <= 3, `one clear line: ${bad.stderr}`);
  }
});

test('--help everywhere', async () => {
  for (const args of [['--help'], ['help'], ...['serve', 'deploy', 'invoke', 'logs', 'list', 'delete', 'doctor', 'runtimes'].map((c) => [c, '--help'])]) {
    const help = await lk.cli(args);
    assert.equal(help.code, 0, `${args}: ${help.stderr}`);
    assert.ok(help.stdout.length > 50, args.join(' '));
    assert.ok(help.stdout.split('\n').every((line) => line.length <= 140), `lines that fit: ${args}`);
  }
  assert.match((await lk.cli(['--version'])).stdout, /\d+\.\d+/);
});

test('doctor says what the host can do', async () => {
  const doctor = await lk.cli(['doctor']);
  assert.match(doctor.stdout, /cgroup/i);
  assert.match(doctor.stdout, /namespaces/i);
  const json = await lk.cli(['doctor', '--json']);
  assert.doesNotThrow(() => JSON.parse(json.stdout), json.stdout);
});

/* A root file system with one interpreter, and one with none. */
const rootWith = (name, ...files) => {
  const root = path.join(dir, name);
  fs.mkdirSync(path.join(root, 'usr/bin'), { recursive: true });
  for (const file of files) fs.writeFileSync(path.join(root, 'usr/bin', file), '', { mode: 0o755 });
  return root;
};

test('runtimes says on what each identifier runs, and what to install', async () => {
  const args = ['--rootfs', `python3.13=${rootWith('near', 'python3.9', 'python3.12')}`, '--rootfs', `python3.12=${dir}/near`,
    '--rootfs', `ruby3.3=${rootWith('bare')}`];
  const text = await lk.cli(['runtimes', ...args]);
  assert.equal(text.code, 0, text.stderr);
  assert.match(text.stdout, /^python3\.13 +nearest +3\.12, .*\/near\/usr\/bin\/python3\.12$/m);
  assert.match(text.stdout, /^python3\.12 +exact +3\.12, /m);
  assert.match(text.stdout, /^ruby3\.3 +missing +no interpreter for ruby3\.3 below .*\/bare\/usr: apt-get install ruby \(looked for/m);
  assert.match(text.stdout, /^provided\.al2023 +exact +the function brings its program$/m);
  assert.match(text.stdout, /^go1\.x .*\(retired: serve --retired-runtimes true\)$/m);
  const json = JSON.parse((await lk.cli(['runtimes', '--json', '--runtime-exact', 'true', ...args])).stdout);
  assert.equal(new Set(json.map((row) => row.runtime)).size, 33);
  const one = Object.fromEntries(json.map((row) => [row.runtime, row]));
  assert.deepEqual(one['python3.12'], { runtime: 'python3.12', state: 'exact', retired: false, version: '3.12', interpreter: '/usr/bin/python3.12',
    rootfs: path.join(dir, 'near') });
  assert.equal(one['python3.13'].state, 'missing', 'as --runtime-exact wants it');
  assert.match(one['ruby3.3'].mend, /apt-get install ruby/);
  const none = await lk.cli(['runtimes', '--rootfs', 'python3.13=/not/there']);
  assert.match(none.stderr, /rootfs of python3\.13: \/not\/there.*No such file/i);
  assert.notEqual(none.code, 0);
  const bad = await lk.cli(['runtimes', '--rootfs', 'nonsense']);
  assert.equal(bad.code, 2, bad.stdout);
});

test('a switch says what it can be', async () => {
  const wrong = await lk.cli(['runtimes', '--zygotes', 'maybe']);
  assert.equal(wrong.code, 2, wrong.stdout);
  assert.match(wrong.stderr, /zygotes must be true or false, not maybe/);
  for (const good of [['--zygotes'], ['--zygotes', 'false'], ['--zygotes', '--json']]) assert.equal((await lk.cli(['runtimes', ...good])).code, 0, good.join(' '));
});

test('the mend in runtimes, in doctor and in the answer to a create are one text', async () => {
  const config = path.join(dir, 'lambkin.conf');
  const all = ['ruby3.2', 'ruby3.3', 'ruby3.4'].map((name) => `${name}=${rootWith('empty')}`);
  fs.writeFileSync(config, all.map((one) => `rootfs = ${one}\n`).join(''));
  const rows = JSON.parse((await lk.cli(['runtimes', '--json'], { env: { LAMBKIN_CONFIG: config } })).stdout);
  const { mend } = rows.find((row) => row.runtime === 'ruby3.4');
  const doctor = JSON.parse((await lk.cli(['doctor', '--json'], { env: { LAMBKIN_CONFIG: config } })).stdout);
  assert.deepEqual(doctor.findings.find((f) => f.what === 'runtimes ruby'),
    { what: 'runtimes ruby', good: false, needed: false, found: 'no interpreter', mend });
  const other = await Lambkin.start({ flags: all.flatMap((one) => ['--rootfs', one]) });
  try {
    const made = await other.api('POST', '/2015-03-31/functions', { FunctionName: 'f', Runtime: 'ruby3.4', Handler: 'a.b',
      Role: 'arn:aws:iam::000000000000:role/any', Code: { ZipFile: zip({ 'a.rb': '' }).toString('base64') } });
    assert.equal(made.status, 201, made.text);
    assert.equal(made.headers['x-lambkin-warning'], `the function cannot run here: ${mend}`);
  } finally {
    await other.stop();
  }
  fs.writeFileSync(config, 'port = many\n');
  const broken = await lk.cli(['doctor'], { env: { LAMBKIN_CONFIG: config } });
  assert.equal(broken.code, 1);
  assert.match(broken.stdout, /^NO +installation .*many/m);
});

test('logs --follow shows new lines as they come', async () => {
  assert.equal((await deploy()).code, 0);
  await lk.cli(['invoke', 'cli']);
  const child = spawn(path.join(BUILD, 'lambkin'), ['logs', 'cli', '--follow'],
    { env: cleanEnv({ AWS_ENDPOINT_URL: lk.endpoint, LAMBKIN_ENDPOINT: lk.endpoint }) });
  let seen = '';
  child.stdout.on('data', (d) => { seen += d; });
  try {
    await until(() => /hello log/.test(seen), 'the first lines');
    const ids = new Set(seen.match(/RequestId: [0-9a-f-]{36}/g));
    await lk.cli(['invoke', 'cli']);
    await until(() => (seen.match(/RequestId: [0-9a-f-]{36}/g) || []).some((id) => !ids.has(id)), 'the new lines');
  } finally {
    child.kill('SIGINT');
    await until(() => child.exitCode !== null || child.signalCode !== null, 'its end');
  }
});

const failsToStart = async (options, pattern) => {
  const error = await Lambkin.start(options).then((one) => one.stop().then(() => assert.fail('it started')), (e) => e);
  const output = error.message.replace(/^lambkin did not start:\n/, '');
  assert.match(output, pattern);
  return output;
};

test('serve: port taken, data folder unwritable or in use, wrong settings: one line, not zero', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await until(() => server.listening, 'a listener');
  const taken = new Lambkin();
  taken.port = server.address().port;
  const error = await taken.begin().then(() => assert.fail('it started'), (e) => e);
  assert.match(error.message, new RegExp(`${taken.port}.*(in use|taken)|(in use|taken).*${taken.port}`, 'i'));
  assert.ok(taken.exited.code > 0);
  server.close();
  fs.rmSync(taken.dir, { recursive: true });

  await failsToStart({ dir: lk.dir }, /in use|locked|another/i);
  const file = fs.mkdtempSync(path.join(os.tmpdir(), 'lambkin-file-'));
  fs.writeFileSync(path.join(file, 'data'), 'a file');
  await failsToStart({ dir: file }, /data/);
  fs.rmSync(file, { recursive: true });
  if (isRoot) {
    const mine = fs.mkdtempSync(path.join(os.tmpdir(), 'lambkin-mine-'));
    fs.mkdirSync(path.join(mine, 'data'), { mode: 0o700 });
    await failsToStart({ dir: mine, uid: 12345 }, /data.*(permission|writable|denied)|(permission|writable|denied).*data/i);
    fs.rmSync(mine, { recursive: true });
  }
});

test('settings: flags, variables, config file', async () => {
  const config = path.join(dir, 'lambkin.conf');
  fs.writeFileSync(config, '# a comment\naccount-concurrency = 7\n');
  const from = async (options) => {
    const one = await Lambkin.start(options);
    try {
      return (await one.api('GET', '/2016-08-19/account-settings')).json.AccountLimit.ConcurrentExecutions;
    } finally {
      await one.stop();
    }
  };
  assert.equal(await from({ flags: ['--config', config] }), 7);
  assert.equal(await from({ flags: ['--config', config], env: { LAMBKIN_ACCOUNT_CONCURRENCY: '8' } }), 8);
  assert.equal(await from({ flags: ['--config', config, '--account-concurrency', '9'], env: { LAMBKIN_ACCOUNT_CONCURRENCY: '8' } }), 9);
  fs.writeFileSync(config, 'no-such-setting = 1\n');
  await failsToStart({ flags: ['--config', config] }, /no-such-setting/);
  fs.writeFileSync(config, 'region = "eu-west-1 # no comment\n');
  await failsToStart({ flags: ['--config', config] }, /quotes of region/);
  fs.writeFileSync(config, 'account-concurrency = "6" # a comment behind quotes\n');
  assert.equal(await from({ flags: ['--config', config] }), 6);
  await failsToStart({ flags: ['--config', dir] }, /cannot read/);
  await failsToStart({ flags: ['--account', '12345'] }, /account must be 12 digits/);
  await failsToStart({ flags: ['--region', 'a:b'] }, /region must be a name/);
  await failsToStart({ env: { LAMBKIN_REGION: '' } }, /region must be a name/);
});

test('deploy again keeps the role that the function has', async () => {
  const role = 'arn:aws:iam::000000000000:role/mine';
  assert.equal((await deploy('--role', role)).code, 0);
  assert.equal((await deploy()).code, 0);
  assert.equal((await lk.api('GET', '/2015-03-31/functions/cli/configuration')).json.Role, role);
});

const filterEvents = async (group) => {
  const found = [];
  let nextToken;
  do {
    const page = await lk.api('POST', '/', { logGroupName: group, nextToken },
      { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': 'Logs_20140328.FilterLogEvents',
        Authorization: lk.authorization().replace('/lambda/', '/logs/') });
    assert.equal(page.status, 200, page.text);
    found.push(...page.json.events);
    nextToken = page.json.nextToken;
  } while (nextToken);
  return found;
};

/* An event's place in the order of arrival is the end of its id. */
const byArrival = (ids) => [...ids].sort((a, b) => a.slice(-20) < b.slice(-20) ? -1 : 1);

test('logs show every event, once, whatever their times', async () => {
  await lk.create('mixed', { 'app.py': 'import logging, time\nnow = time.time_ns\ntime.time_ns = lambda: now() - 10**9\n' // a slow clock
    + 'def handler(e, c):\n    for n in range(300):\n        print("line", n)\n        logging.warning("event %d", n)\n' });
  await lk.call('mixed', 1);
  const events = await filterEvents('/aws/lambda/mixed');
  assert.ok(events.length > 600);
  assert.deepEqual(events.map((e) => e.timestamp), events.map((e) => e.timestamp).sort((a, b) => a - b));
  const all = await lk.cli(['logs', 'mixed', '--json']);
  assert.equal(all.code, 0, all.stderr);
  assert.deepEqual(all.stdout.trim().split('\n').map((l) => JSON.parse(l).eventId), byArrival(events.map((e) => e.eventId)));
  const child = spawn(path.join(BUILD, 'lambkin'), ['logs', 'mixed', '--follow', '--json'],
    { env: cleanEnv({ LAMBKIN_ENDPOINT: lk.endpoint }) });
  let seen = '';
  child.stdout.on('data', (d) => { seen += d; });
  try {
    await until(() => seen.split('\n').length > events.length, 'the old events');
    await lk.call('mixed', 2);
    const more = await filterEvents('/aws/lambda/mixed');
    await until(() => seen.split('\n').length > more.length, 'the new events');
    assert.deepEqual(seen.trim().split('\n').map((l) => JSON.parse(l).eventId), byArrival(more.map((e) => e.eventId)));
  } finally {
    child.kill('SIGINT');
    await until(() => child.exitCode !== null || child.signalCode !== null, 'its end');
  }
});

test('a zero byte in a log or a result hides nothing', async () => {
  await lk.create('zero', { 'app.py': 'def handler(e, c):\n    print("a\\0b")\n    return "c\\0d"\n' });
  const ran = await lk.cli(['invoke', 'zero', '--json']);
  assert.equal(JSON.parse(ran.stdout).payload, 'c\0d');
  const shown = await lk.cli(['logs', 'zero']);
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /START RequestId.*Z a\0b\n.*REPORT RequestId/s);
});

/* Whatever `answer` gives, for each request: [status, headers, body]. */
const fake = async (answer, use) => {
  const server = http.createServer((req, res) => {
    const [status, headers, body] = answer(req);
    req.resume().on('end', () => res.writeHead(status, headers).end(body));
  }).listen(0, '127.0.0.1');
  await until(() => server.listening, 'a listener');
  try {
    await use({ LAMBKIN_ENDPOINT: `http://127.0.0.1:${server.address().port}` });
  } finally {
    server.closeAllConnections();
    server.close();
  }
};

test('an answer that is no JSON is an error', () => fake(() => [200, {}, '<html>hello</html>'], async (env) => {
  for (const args of [['list'], ['logs', 'cli'], ['deploy', fn(), '--name', 'cli']]) {
    const ran = await lk.cli(args, { env });
    assert.equal(ran.code, 1, args.join(' '));
    assert.match(ran.stderr, /^lambkin: .*no JSON\n$/);
    assert.equal(ran.stdout, '');
  }
}));

test('invoke --json shows bytes that are no UTF-8, and numbers of any size', async () => {
  await lk.create('bytes', { 'app.py': 'def handler(e, c):\n    print("é" * 3000 + e)\n'
    + '    return b"a\\xffb" if e else 12345678901234567890123\n' });
  for (const more of ['x', 'xy']) { // one of them cuts a character
    const ran = await lk.cli(['invoke', 'bytes', '--json', '--tail', '-d', JSON.stringify(more)]);
    assert.equal(ran.code, 0, ran.stderr);
    const shown = JSON.parse(ran.stdout);
    assert.deepEqual([shown.status, shown.payload], [200, 'a\ufffdb']);
    assert.match(shown.log, new RegExp(`^é+${more}\nEND`));
  }
  const number = await lk.cli(['invoke', 'bytes', '--json', '-d', '""']);
  assert.match(number.stdout, /"payload": 12345678901234567890123\n/);
});

test('--endpoint goes before the variables', async () => {
  const env = { LAMBKIN_ENDPOINT: `http://127.0.0.1:${await freePort()}` };
  const run = (...args) => lk.cli([...args, '--endpoint', lk.endpoint], { env });
  const steps = [['deploy', fn(), '--name', 'there', '--runtime', 'python3.11', '--handler', 'app.handler'],
    ['invoke', 'there'], ['logs', 'there'], ['list'], ['delete', 'there']];
  assert.equal((await lk.cli(['list'], { env })).code, 3);
  for (const step of steps) {
    const ran = await run(...step);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match((await lk.cli([step[0], '--help'])).stdout, /--endpoint/);
  }
});

test('an endpoint may end in a slash', async () => {
  for (const env of [{ LAMBKIN_ENDPOINT: `${lk.endpoint}/` }, { LAMBKIN_ENDPOINT: `${lk.endpoint}//` }]) {
    for (const args of [['list'], ['deploy', fn(), '--name', 'cli', '--runtime', 'python3.11', '--handler', 'app.handler'], ['logs', 'cli']]) {
      const ran = await lk.cli(args, { env });
      assert.equal(ran.code, 0, ran.stderr);
    }
  }
});

test('only what lambkin calls missing is missing', () => fake(() => [404, {}, '<html>no such page</html>'], async (env) => {
  for (const args of [['invoke', 'cli'], ['delete', 'cli'], ['deploy', fn(), '--name', 'cli', '--runtime', 'python3.11', '--handler', 'app.handler']]) {
    const ran = await lk.cli(args, { env });
    assert.equal(ran.code, 1, args.join(' '));
    assert.match(ran.stderr, /^lambkin: HTTP 404.*no such page.*\n$/);
  }
  assert.equal((await lk.cli(['invoke', 'nobody'])).code, 4);
  assert.equal((await lk.cli(['delete', 'nobody'])).code, 4);
}));

test('deploy takes hidden and compiled files, and leaves out what it names', async () => {
  const folder = path.join(dir, 'whole');
  const left = ['.git', '.svn', '.hg', '__pycache__', '.DS_Store', '.venv'];
  for (const name of left) {
    fs.mkdirSync(path.join(folder, name), { recursive: true });
    fs.writeFileSync(path.join(folder, name, 'file'), 'x');
  }
  for (const name of ['.env', 'old.pyc', '.hidden']) fs.writeFileSync(path.join(folder, name), 'x');
  fs.writeFileSync(path.join(folder, 'app.py'), 'import os\ndef handler(e, c):\n    return sorted(os.listdir("/var/task"))\n');
  const made = await lk.cli(['deploy', folder, '--name', 'whole', '--runtime', 'python3.11', '--handler', 'app.handler']);
  assert.equal(made.code, 0, made.stderr);
  assert.deepEqual(await lk.call('whole', 1), ['.env', '.hidden', 'app.py', 'old.pyc']);
  const help = (await lk.cli(['deploy', '--help'])).stdout;
  for (const name of left) assert.ok(help.includes(name), name);
});

test('logs --since a time before 1970 shows all', async () => {
  await deploy();
  await lk.cli(['invoke', 'cli']);
  const all = await lk.cli(['logs', 'cli', '--since', '99999d']);
  assert.equal(all.code, 0, all.stderr);
  assert.match(all.stdout, /hello log/);
});

test('logs of a function with a group of its own, of a group, of a function that is gone', async () => {
  const code = { 'app.py': 'def handler(e, c):\n    print("from", c.function_name)\n' };
  await lk.create('own', code, { LoggingConfig: { LogGroup: '/mine/own' } });
  await lk.create('gone', code);
  await lk.call('own', 1);
  await lk.call('gone', 1);
  await lk.api('DELETE', '/2015-03-31/functions/gone');
  for (const [args, text] of [[['own'], 'from own'], [['gone'], 'from gone'], [['--group', '/mine/own'], 'from own'],
    [['/mine/own'], 'from own']]) {
    const shown = await lk.cli(['logs', ...args]);
    assert.equal(shown.code, 0, shown.stderr);
    assert.ok(shown.stdout.includes(text), args.join(' '));
  }
  assert.deepEqual([await lk.cli(['logs', 'nobody']), await lk.cli(['logs', '--group', '/no/group'])].map((x) => x.code), [4, 4]);
  assert.deepEqual([await lk.cli(['logs']), await lk.cli(['logs', 'own', '--group', 'g'])].map((x) => x.code), [2, 2]);
});

test('doctor tells cpu from cpuset', { skip: !isRoot && 'needs root' }, () => {
  const mounts = path.join(dir, 'mountinfo');
  const lines = ['20 1 0:1 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset', '21 1 0:2 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
    '22 1 0:3 / /pids rw - tmpfs pids rw,pids', ''];
  fs.writeFileSync(mounts, lines.join('\n'));
  const script = `mount --bind ${mounts} /proc/$$/mountinfo && mount -t tmpfs none /sys/fs/cgroup && mkdir /sys/fs/cgroup/memory && exec "$@"`;
  const ran = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', path.join(BUILD, 'lambkin'), 'doctor', '--json'], { env: cleanEnv() });
  const { findings } = JSON.parse(ran.stdout);
  const found = (what) => findings.find((f) => f.what === `cgroup: ${what}`).found;
  assert.deepEqual(['processor shares', 'memory limits', 'process limits'].map(found),
    ['no such controller', 'cgroup v1', 'no such controller']);
});

const hasV1 = isRoot && cgroupMounts().some((m) => !m.v2 && m.at === '/sys/fs/cgroup/cpu');
test('doctor reads more mounts than a page holds', { skip: !hasV1 && 'needs root and cgroup v1' }, () => {
  const script = 'mount --bind /sys/fs/cgroup/cpu "$1" && umount -l /sys/fs/cgroup/cpu && for i in $(seq 100); do mount -t tmpfs none "$2"; done'
    + ' && mount --bind "$1" /sys/fs/cgroup/cpu && umount "$1" && exec "$3" doctor --json';
  for (const name of ['cpu', 'many']) fs.mkdirSync(path.join(dir, name));
  const ran = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', path.join(dir, 'cpu'), path.join(dir, 'many'), path.join(BUILD, 'lambkin')],
    { env: cleanEnv() });
  assert.equal(JSON.parse(ran.stdout).findings.find((f) => f.what === 'cgroup: processor shares').found, 'cgroup v1');
});

test('deploy says why a package is refused, and which interpreter runs', async () => {
  fs.mkdirSync(path.join(dir, 'out'), { recursive: true });
  fs.writeFileSync(path.join(dir, 'out/app.py'), 'def handler(e, c):\n    return 1\n');
  fs.symlinkSync('/etc/passwd', path.join(dir, 'out/link'));
  const refused = await lk.cli(['deploy', path.join(dir, 'out'), '--name', 'out', '--runtime', 'python3.11', '--handler', 'app.handler']);
  assert.ok(refused.code > 0);
  assert.match(refused.stderr, /warning: link link leads out of the package/);
  assert.match(refused.stderr, /Could not unzip uploaded file\. Please check your file, then try to upload again\.\n/);
  if (fs.existsSync('/usr/bin/python3.14')) return;
  const nearest = await lk.cli(['deploy', fn(), '--name', 'nearest', '--runtime', 'python3.14', '--handler', 'app.handler']);
  assert.equal(nearest.code, 0);
  assert.match(nearest.stderr, /warning: this host has no python3\.14: \S+ runs the function/);
});
