/* Zip files that no honest tool would write, and honest ones with odd content. Nothing may be left behind. */
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const zlib = require('node:zlib');
const { isDeepStrictEqual } = require('node:util');
const { test, before, after } = require('node:test');
const { Lambkin, PUPPET, until, zip } = require('./lib/lambkin');

const UNZIP = 'Could not unzip uploaded file. Please check your file, then try to upload again.';
const APP = 'def handler(event, context):\n    return 1\n';
let lk;
let count = 0;

before(async () => { lk = await Lambkin.start(); });
after(() => lk.stop());

/* A folder may go while this looks: code that nobody needs is swept in the background. */
function entries(dir) {
  try {
    return fs.readdirSync(dir, { withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

function tree(dir) {
  const found = [];
  for (const entry of entries(dir)) {
    const at = path.join(dir, entry.name);
    found.push(path.relative(lk.data, at));
    if (entry.isDirectory()) found.push(...tree(at));
  }
  return found.filter((f) => !/\.db|-wal|-shm|^logs?\b/.test(f)).sort();
}

async function refused(bytes, message = UNZIP) {
  const name = `zip-${count++}`;
  const before = tree(lk.data);
  const answer = await lk.api('POST', '/2015-03-31/functions', { FunctionName: name, Runtime: 'python3.11',
    Handler: 'app.handler', Role: 'arn:aws:iam::000000000000:role/any', Code: { ZipFile: bytes.toString('base64') } });
  assert.equal(answer.status, 400, answer.text);
  assert.equal(answer.headers['x-amzn-errortype'], 'InvalidParameterValueException', answer.text);
  if (message instanceof RegExp) assert.match(answer.json.message, message);
  else assert.equal(answer.json.message, message);
  assert.equal((await lk.api('GET', `/2015-03-31/functions/${name}`)).status, 404);
  assert.deepEqual(tree(lk.data), before, 'nothing is left behind');
}

test('not a zip, cut off, empty', async () => {
  const good = zip({ 'app.py': APP, 'more.txt': 'x'.repeat(5000) });
  for (const bad of [Buffer.from('hello'), Buffer.from('PK\x03\x04'), Buffer.alloc(1000), good.subarray(0, 100),
    good.subarray(0, good.length - 1), good.subarray(0, good.length - 40), good.subarray(10)]) await refused(bad);
  await refused(Buffer.from('PK\x05\x06' + '\0'.repeat(18), 'latin1'), /./);
});

test('many at the same time, each its own: the bad ones fail alone, the good ones have their own content', async () => {
  const before = tree(lk.data);
  const create = (n) => lk.api('POST', '/2015-03-31/functions', { FunctionName: `crowd-${n}`, Runtime: 'python3.11',
    Handler: 'app.handler', Role: 'arn:aws:iam::000000000000:role/any',
    Code: { ZipFile: (n % 8 === 3 ? zip([{ name: '../evil.py', data: `${n}` }])
      : zip({ 'app.py': `def handler(event, context):\n    return ${n}\n` })).toString('base64') } });
  const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => create(n)));
  for (const [n, answer] of answers.entries()) {
    assert.equal(answer.status, n % 8 === 3 ? 400 : 201, answer.text);
    if (answer.status === 400) {
      assert.equal(answer.json.message, UNZIP);
      continue;
    }
    await lk.settled(`crowd-${n}`);
    if (n % 8 === 4) assert.equal(await lk.call(`crowd-${n}`, 1), n);
    assert.equal((await lk.api('DELETE', `/2015-03-31/functions/crowd-${n}`)).status, 204);
  }
  await until(() => isDeepStrictEqual(tree(lk.data), before), 'their code to be gone');
});

test('wrong checksum, wrong size, wrong offset, encrypted, unknown method, broken deflate', async () => {
  await refused(zip([{ name: 'app.py', data: APP, crc: 1 }]));
  await refused(zip([{ name: 'app.py', data: APP, size: 5 }]));
  await refused(zip([{ name: 'app.py', data: APP, size: 0xfffffff0 }]), /./);
  await refused(zip([{ name: 'app.py', data: APP, offset: 100000 }]));
  await refused(zip([{ name: 'app.py', data: APP, flags: 0x801 }]));
  await refused(zip([{ name: 'app.py', data: APP, method: 97, raw: Buffer.from(APP) }]));
  await refused(zip([{ name: 'app.py', data: APP, method: 8, raw: Buffer.from('not deflated at all') }]));
});

test('paths that leave the folder', async () => {
  for (const name of ['../evil.py', '/etc/evil', 'a/../../evil', '..', 'a/..', '/', '//x', './../x', 'a/../b', '..\\evil',
    'a\0b', '', `${'d/'.repeat(3000)}x`, `${'n'.repeat(300)}`]) {
    await refused(zip([{ name: 'app.py', data: APP }, { name, data: 'evil' }]));
  }
});

test('symbolic links', async () => {
  for (const target of ['/etc/passwd', '../outside', 'a/../../outside', '..', '/', '/proc/self/root', '']) {
    await refused(zip([{ name: 'app.py', data: APP }, { name: 'link', data: target, mode: 0o120777 }]));
  }
  await refused(zip([{ name: 'dir', data: '/tmp', mode: 0o120777 }, { name: 'dir/evil', data: 'x' }]));
  await refused(zip([{ name: 'dir', data: 'sub', mode: 0o120777 }, { name: 'dir/evil', data: 'x' }]));
  await lk.create('links', [{ name: 'app.py', data: 'def handler(e, c):\n    return open("link").read()\n' },
    { name: 'sub/file', data: 'inside' }, { name: 'link', data: 'sub/file', mode: 0o120777 }].reduce((all, e) => {
    all[e.name] = e;
    return all;
  }, {}));
  assert.equal(await lk.call('links', {}), 'inside');
});

test('device nodes, pipes, sockets, setuid', async () => {
  for (const mode of [0o020666, 0o060666, 0o010666, 0o140666]) {
    await refused(zip([{ name: 'app.py', data: APP }, { name: 'node', data: '', mode }]));
  }
  /* setuid is either refused or dropped */
  const files = zip([{ name: 'app.py', data: PUPPET['app.py'] }, { name: 'suid', data: 'x', mode: 0o106755 }]);
  const answer = await lk.api('POST', '/2015-03-31/functions', { FunctionName: 'suid', Runtime: 'python3.11',
    Handler: 'app.handler', Role: 'arn:aws:iam::000000000000:role/any', Code: { ZipFile: files.toString('base64') } });
  if (answer.status === 201) {
    await lk.settled('suid');
    assert.equal(await lk.call('suid', { code: 'result = os.stat("/var/task/suid").st_mode & 0o7000' }), 0);
  } else {
    assert.equal(answer.json.message, UNZIP);
  }
});

test('duplicate entries, a file that is also a folder', async () => {
  await refused(zip([{ name: 'app.py', data: APP }, { name: 'app.py', data: 'other' }]));
  await refused(zip([{ name: 'app.py', data: APP }, { name: 'a', data: 'x' }, { name: 'a/b', data: 'y' }]));
  await refused(zip([{ name: 'app.py', data: APP }, { name: './app.py', data: 'other' }]), /./);
});

test('bombs: 250 MB unzipped is too much, whatever the header says', async () => {
  const zeros = zlib.deflateRawSync(Buffer.alloc(1 << 26), { level: 9 });
  const bomb = (n, size) => zip([{ name: 'app.py', data: APP }, ...Array.from({ length: n }, (_, i) => (
    { name: `zero${i}`, raw: zeros, method: 8, crc: 0xb2eb30ed, size: size ?? 1 << 26, data: '' }))]);
  await refused(bomb(4), 'Unzipped size must be smaller than 262144000 bytes');
  await refused(bomb(8, 10), /./);
  const overlapping = zip([{ name: 'app.py', data: APP }, ...Array.from({ length: 2000 }, (_, i) => (
    { name: `o${i}`, raw: i === 0 ? zeros : Buffer.alloc(0), method: 8, crc: 0xb2eb30ed, size: 1 << 26, data: '', offset: 0 }))]);
  await refused(overlapping, /./);
});

test('many files', async () => {
  const files = Object.fromEntries(Array.from({ length: 20000 }, (_, i) => [`d${i % 100}/f${i}`, '']));
  await lk.create('many', { 'app.py': 'import os\ndef handler(e, c):\n    return sum(len(f) for _, _, f in os.walk("."))\n', ...files });
  assert.equal(await lk.call('many', {}), 20001);
});

test('modes, names and contents arrive as they were', async () => {
  await lk.create('modes', zip([{ name: 'app.py', data: PUPPET['app.py'], mode: 0o100644 },
    { name: 'tool', data: '#!/bin/sh\necho ran\n', mode: 0o100755 }, { name: 'dir/', mode: 0o40755 },
    { name: 'ünï ☃.txt', data: 'snow', mode: 0o100644 }, { name: 'stored', data: Buffer.from([0, 1, 255]), store: true }]));
  assert.deepEqual(await lk.call('modes', { code: [
    'result = [oct(os.stat("tool").st_mode), subprocess.run(["./tool"], capture_output=True, text=True).stdout,',
    '  open("ünï ☃.txt").read(), list(open("stored", "rb").read()), os.path.isdir("dir"), os.getcwd()]'].join('\n') }),
  ['0o100755', 'ran\n', 'snow', [0, 1, 255], true, '/var/task']);
  /* zips made where there are no modes */
  await lk.create('dos', zip([{ name: 'app.py', data: APP, os: 0, mode: 0 }]));
  assert.equal(await lk.call('dos', {}), 1);
});

test('a bad update leaves the function as it was', async () => {
  await lk.create('kept', zip({ 'app.py': APP }));
  const before = await lk.settled('kept');
  const answer = await lk.api('PUT', '/2015-03-31/functions/kept/code', { ZipFile: Buffer.from('no zip').toString('base64') });
  assert.equal(answer.status, 400);
  assert.equal(answer.json.message, UNZIP);
  assert.deepEqual(await lk.settled('kept'), before);
  assert.equal(await lk.call('kept', {}), 1);
});
