/* What a function sees of lambkin: its own credentials, and the API behind AWS_ENDPOINT_URL. */
'use strict';
const assert = require('node:assert/strict');
const { test, before, after } = require('node:test');
const { Lambkin, PUPPET, ACCOUNT, REGION } = require('./lib/lambkin');

const py = (lines) => ({ code: [].concat(lines).join('\n') });
let lk;
before(async () => { lk = await Lambkin.start(); });
after(() => lk.stop());

/* One signed-looking request from inside; the signature itself is not checked yet. */
const ASK = [
  'import urllib.request, urllib.error',
  'def ask(method, path, body, headers, service):',
  '    key = os.environ["AWS_ACCESS_KEY_ID"]',
  '    auth = "AWS4-HMAC-SHA256 Credential=%s/20260101/us-east-1/%s/aws4_request, SignedHeaders=host, Signature=0" % (key, service)',
  '    h = {"Authorization": auth, "X-Amz-Security-Token": os.environ["AWS_SESSION_TOKEN"], **headers}',
  '    r = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + path, body, h, method=method)',
  '    try:',
  '        with urllib.request.urlopen(r, timeout=5) as f: return [f.status, f.read().decode()]',
  '    except urllib.error.HTTPError as e: return [e.code, e.read().decode()]',
];
const form = 'ask("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", {"Content-Type": "application/x-www-form-urlencoded"}, "sts")';

test('GetCallerIdentity from inside: the assumed role, whose session is the function', async () => {
  await lk.create('who', PUPPET);
  const [status, xml] = await lk.call('who', py([...ASK, `result = ${form}`]));
  assert.equal(status, 200, xml);
  assert.match(xml, new RegExp(`<Arn>arn:aws:sts::${ACCOUNT}:assumed-role/any/who</Arn>`));
  const keys = 'result = [os.environ[k] for k in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")]';
  const two = [await lk.call('who', py(keys))];
  await lk.request('POST', '/_lambkin/cold/who');
  two.push(await lk.call('who', py(keys)));
  for (let i = 0; i < 3; i++) assert.notEqual(two[0][i], two[1][i], 'keys of their own');
  assert.match(two[0][0], /^ASIA[A-Z2-7]{16}$/);
});

test('functions call functions, and write logs', async () => {
  await lk.create('callee', { 'app.py': 'def handler(e, c): return ["called with", e]\n' });
  await lk.create('caller', PUPPET);
  assert.deepEqual(await lk.call('caller', py([...ASK, 'result = ask("POST", "/2015-03-31/functions/callee/invocations", b"7", {}, "lambda")'])),
    [200, '["called with", 7]']);
  const json = '{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Logs_20140328.CreateLogGroup"}';
  assert.deepEqual(await lk.call('caller', py([...ASK, `result = ask("POST", "/", b'{"logGroupName":"/made/inside"}', ${json}, "logs")`])), [200, '{}']);
  const [status] = await lk.call('caller', py([...ASK, 'result = ask("GET", "/2015-03-31/functions/nobody", None, {}, "lambda")']));
  assert.equal(status, 404);
});

test('a variable of the function\'s own goes first; the way out ends there', async () => {
  await lk.create('own', PUPPET, { env: { AWS_ENDPOINT_URL: 'http://elsewhere' } });
  assert.equal(await lk.call('own', py('result = os.environ["AWS_ENDPOINT_URL"]')), 'http://elsewhere');
  const tried = await lk.call('own', py(['result = []', 'for to in (("169.254.100.1", 4567), ("10.0.0.1", 80), ("127.0.0.1", 22)):',
    '    try: socket.create_connection(to, 1); result.append(to)', '    except OSError: pass']));
  assert.deepEqual(tried, []);
  assert.equal(REGION, 'us-east-1');
});

test('restarts of the runtime keep the way in; hundreds of connections hurt nobody', async () => {
  await lk.create('crash', PUPPET);
  for (let i = 0; i < 3; i++) {
    assert.equal((await lk.invoke('crash', py('os._exit(1)'))).error, 'Unhandled');
    assert.equal((await lk.call('crash', py([...ASK, `result = ${form}`])))[0], 200);
  }
  const open = await lk.call('crash', py(['s = []', 'for i in range(300):', '    try: s.append(socket.create_connection(("169.254.100.1", 4566), 2))', '    except OSError: break',
    'result = len(s)', 'for c in s: c.close()']));
  assert.ok(open > 0);
  assert.equal((await lk.call('crash', py([...ASK, 'for _ in range(100):', '    try:', `        result = ${form}`, '        break', '    except OSError: time.sleep(0.05)'])))[0], 200);
});
