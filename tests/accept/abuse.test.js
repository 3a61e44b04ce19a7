/* HTTP as no client should speak it: answered or closed within bounds, with bounded memory, others undisturbed. */
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const { test, before, after } = require('node:test');
const { Lambkin, PUPPET, read, until } = require('./lib/lambkin');

let lk;
before(async () => {
  lk = await Lambkin.start();
  await lk.create('fn', PUPPET);
  await lk.call('fn', { code: 'result = 1' });
});
after(() => lk.stop());

/* Sends bytes (a string is latin1), answers all that comes until the peer closes or `ms` have gone by. */
function talk(bytes, { ms = 4000, half = false } = {}) {
  return new Promise((done) => {
    let got = '';
    const socket = net.connect(lk.port, '127.0.0.1', () => {
      socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
      if (half) socket.end();
    });
    const end = (closed) => {
      clearTimeout(timer);
      socket.destroy();
      done({ got, closed });
    };
    const timer = setTimeout(() => end(false), ms);
    socket.on('data', (d) => { got += d.toString('latin1'); });
    socket.on('error', () => end(true));
    socket.on('close', () => end(true));
  });
}

const alive = async () => assert.equal(await lk.call('fn', { code: 'result = 2' }), 2);
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(read(`/proc/${lk.daemon}/status`))[1]);

test('what packaged parsers let through gets 400 and a closed connection', async () => {
  const line = 'POST /2015-03-31/functions/fn/invocations HTTP/1.1\r\n';
  const cases = {
    'two lengths': `${line}Host: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x`,
    'length and chunked': `${line}Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'space before the colon': `${line}Host: x\r\nContent-Length : 2\r\n\r\n{}`,
    'bare LF': `${line.replace('\r', '')}Host: x\nContent-Length: 2\n\n{}`,
    'one bare LF': `${line}Host: x\nContent-Length: 2\r\n\r\n{}`,
    'no Host': `${line}Content-Length: 2\r\n\r\n{}`,
    'two Hosts': `${line}Host: x\r\nHost: y\r\nContent-Length: 2\r\n\r\n{}`,
    'NUL in a value': `${line}Host: x\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\n{}`,
    'a folded header': `${line}Host: x\r\nX-A: a\r\n b\r\nContent-Length: 2\r\n\r\n{}`,
    'length +2': `${line}Host: x\r\nContent-Length: +2\r\n\r\n{}`,
    'length 0x2': `${line}Host: x\r\nContent-Length: 0x2\r\n\r\n{}`,
    'length -1': `${line}Host: x\r\nContent-Length: -1\r\n\r\n{}`,
    'length 2, 2': `${line}Host: x\r\nContent-Length: 2, 2\r\n\r\n{}`,
    'a huge length': `${line}Host: x\r\nContent-Length: 18446744073709551618\r\n\r\n{}`,
    'an unknown encoding': `${line}Host: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    'chunked twice': `${line}Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'a bad chunk size': `${line}Host: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n`,
    'a huge chunk size': `${line}Host: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n`,
    'a chunk without its end': `${line}Host: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n`,
    'HTTP/0.9': 'GET /\r\n\r\n',
    'HTTP/2.0': 'GET / HTTP/2.0\r\nHost: x\r\n\r\n',
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'no method': ' / HTTP/1.1\r\nHost: x\r\n\r\n',
    'a tab in the line': 'GET\t/\tHTTP/1.1\r\nHost: x\r\n\r\n',
    'a control byte in the path': 'GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n',
    'a header without a name': `${line}Host: x\r\n: v\r\nContent-Length: 2\r\n\r\n{}`,
    'a header without a colon': `${line}Host: x\r\nnonsense\r\nContent-Length: 2\r\n\r\n{}`,
    'TLS': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'zeros': '\0'.repeat(100),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    const { got, closed } = await talk(bytes, { half: name === 'TLS' });
    assert.ok(closed, `${name}: the connection stays open\n${got}`);
    if (name !== 'TLS' || got) assert.match(got, /^HTTP\/1\.[01] (400|501|505) /, `${name}: ${got.slice(0, 300)}`);
    assert.equal(got.match(/HTTP\/1\.1 /g)?.length ?? 0, got ? 1 : 0, `${name}: one answer`);
  }
  await alive();
});

test('pipelining: answers in order', async () => {
  const one = (code) => {
    const body = JSON.stringify({ code });
    return `POST /2015-03-31/functions/fn/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  };
  const many = Array.from({ length: 30 }, (_, i) => one(`result = "<${i}>"`)).join('');
  const { got } = await talk(`${many}GET /2015-03-31/functions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, { ms: 20000 });
  assert.deepEqual(got.match(/<\d+>/g), Array.from({ length: 30 }, (_, i) => `<${i}>`));
  assert.match(got, /"Functions":\[/);
  /* thousands of them, never read: bounded */
  const before = rss();
  const socket = net.connect(lk.port, '127.0.0.1');
  socket.on('error', () => {});
  const block = Buffer.from('GET /2015-03-31/functions HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2000));
  socket.pause();
  for (let i = 0; i < 200; i++) socket.write(block);
  await until(async () => {
    await alive();
    return true;
  }, 'service meanwhile');
  assert.ok(rss() - before < 40000, `grew by ${rss() - before} kB`);
  socket.destroy();
});

test('floods of headers, long lines, long targets', async () => {
  const flood = async (bytes) => {
    const { got, closed } = await talk(bytes, { ms: 8000 });
    assert.ok(closed, 'closed');
    if (got) assert.match(got, /^HTTP\/1\.1 (400|413|414|431) /, got.slice(0, 200));
  };
  await flood(`GET / HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(300000)}\r\n`);
  await flood(`GET / HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(3e6)}\r\n\r\n`);
  await flood(`GET /${'x'.repeat(3e6)} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await flood(`GET / HTTP/1.1\r\nHost: x\r\n${'N'.repeat(3e6)}: v\r\n\r\n`);
  await flood('X'.repeat(3e6));
  await flood(`POST /2015-03-31/functions/fn/invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;${'e'.repeat(3e6)}\r\n{}\r\n0\r\n\r\n`);
  await flood(`POST /2015-03-31/functions/fn/invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n${'T: v\r\n'.repeat(300000)}\r\n`);
  await alive();
});

test('chunked requests, Expect, HEAD, HTTP/1.0, absolute targets, odd paths', async () => {
  const body = '{"code":"result = 3"}';
  const chunks = body.match(/.{1,4}/g).map((c) => `${c.length.toString(16)}\r\n${c}\r\n`).join('');
  const sent = await talk(`POST /2015-03-31/functions/fn/invocations HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
  assert.match(sent.got, /\r\n\r\n3$/);
  const expect = await talk(`POST /2015-03-31/functions/fn/invocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  assert.match(expect.got, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 |^HTTP\/1\.1 200 /);
  const old = await talk('GET /2015-03-31/functions HTTP/1.0\r\nHost: x\r\n\r\n');
  assert.ok(old.closed);
  assert.match(old.got, /^HTTP\/1\.[01] (200|505) /);
  for (const target of ['/%', '/%zz', '/..%2f..%2fetc/passwd', '/2015-03-31/functions/%00', '/2015-03-31/functions/a%2Fb', '//', '/?', '*',
    'http://x/2015-03-31/functions', '/2015-03-31/functions/fn/../fn', '/2015-03-31/functions?MaxItems=abc', '/2015-03-31/functions?MaxItems=0',
    '/2015-03-31/functions?Marker=%ff', `/2015-03-31/functions?${'a=b&'.repeat(5000)}`]) {
    const { got } = await talk(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.match(got, /^HTTP\/1\.1 (200|4\d\d) /, `${target.slice(0, 60)}: ${got.slice(0, 200)}`);
  }
  await alive();
});

test('a client that hangs up at every point', async () => {
  const body = '{"code":"result = 3"}';
  const whole = `POST /2015-03-31/functions/fn/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  await Promise.all(Array.from({ length: whole.length }, (_, i) => new Promise((done) => {
    const socket = net.connect(lk.port, '127.0.0.1', () => socket.write(whole.slice(0, i), () => socket.destroy()));
    socket.on('error', () => {});
    socket.on('close', done);
  })));
  await alive();
});

test('slow clients are closed; the bytes of a slow honest one arrive', async () => {
  const quick = await Lambkin.start({ flags: ['--header-timeout-ms', '500', '--body-timeout-ms', '500'] });
  try {
    const drip = (bytes, every) => new Promise((done) => {
      let at = 0;
      let got = '';
      const begun = Date.now();
      const socket = net.connect(quick.port, '127.0.0.1');
      const timer = setInterval(() => { if (at < bytes.length) socket.write(bytes[at++]); }, every);
      socket.on('data', (d) => { got += d; });
      socket.on('error', () => {});
      socket.on('close', () => {
        clearInterval(timer);
        done({ got, ms: Date.now() - begun });
      });
      setTimeout(() => socket.destroy(), 8000).unref();
    });
    const [head, rest] = await Promise.all([drip(`GET /2015-03-31/functions HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(1000)}`, 50),
      drip(`POST /2015-03-31/functions/fn/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{`, 1)]);
    assert.ok(head.ms < 5000, `a slow head was kept for ${head.ms} ms`);
    assert.ok(rest.ms < 5000, `a body that stops was kept for ${rest.ms} ms`);
  } finally {
    await quick.stop();
  }
});

test('thousands of idle connections', async () => {
  /* what this process and the daemon may open, less what they need for themselves */
  const soft = (pid) => Number(/Max open files\s+(\d+)/.exec(read(`/proc/${pid}/limits`))[1]);
  const n = Math.min(10000, soft(process.pid) - 200, soft(lk.daemon) - 500);
  assert.ok(n > 500, `limits allow ${n}`);
  const before = rss();
  const sockets = [];
  let open = 0;
  for (let i = 0; i < n; i += 500) {
    await Promise.all(Array.from({ length: Math.min(500, n - i) }, () => new Promise((done) => {
      const socket = net.connect(lk.port, '127.0.0.1', () => {
        open++;
        done();
      });
      socket.on('error', done);
      socket.on('close', () => { open--; });
      sockets.push(socket);
    })));
  }
  assert.equal(open, n, 'all of them are accepted');
  await alive();
  const kb = rss() - before;
  console.log(`${n} idle connections: ${kb} kB`);
  assert.ok(kb < 60000, `${kb} kB`);
  for (const socket of sockets) socket.destroy();
  await until(() => fs.readdirSync(`/proc/${lk.daemon}/fd`).length < 300, 'the descriptors to be given back');
  await alive();
});

test('more connections than descriptors: those that fit are served', async () => {
  const few = await Lambkin.start({ wrap: ['sh', '-c', 'ulimit -n 256; exec "$@"', 'sh'] });
  const sockets = [];
  try {
    await few.create('fn', PUPPET);
    for (let i = 0; i < 400; i++) {
      const socket = net.connect(few.port, '127.0.0.1');
      socket.on('error', () => {});
      sockets.push(socket);
    }
    await new Promise((done) => { setTimeout(done, 300); });
    for (const socket of sockets) socket.destroy();
    assert.equal(await until(() => few.call('fn', { code: 'result = 1' }).catch(() => false), 'an answer'), 1);
  } finally {
    await few.stop();
  }
});

test('random bytes', async () => {
  let x = 12345;
  const next = () => (x = (Math.imul(x, 1103515245) + 12345) >>> 0) >>> 16;
  const parts = ['GET ', 'POST ', '/2015-03-31/functions', ' HTTP/1.1\r\n', 'Host: x\r\n', 'Content-Length: ', '5', '\r\n', '\r\n\r\n', '{}', '\0',
    'Transfer-Encoding: chunked\r\n', 'ffff\r\n', '0\r\n\r\n', '\xff\xfe', ' ', ':', '\n', 'Expect: 100-continue\r\n', 'Upgrade: h2c\r\n'];
  await Promise.all(Array.from({ length: 300 }, () => {
    let bytes = '';
    for (let n = next() % 20; n >= 0; n--) bytes += parts[next() % parts.length];
    return talk(bytes, { half: true, ms: 3000 });
  }));
  await alive();
});
