/* The calls for people's tests: everything gone, and the next invocation cold. */
'use strict';
const assert = require('node:assert/strict');
const { test, before, after } = require('node:test');
const { Lambkin, zip, until } = require('./lib/lambkin');

let lk;
before(async () => { lk = await Lambkin.start(); });
after(() => lk.stop());

const COUNT = { 'app.py': 'N = 0\ndef handler(e, c):\n    global N\n    N += 1\n    return N\n' };
const post = (path) => lk.request('POST', path);

test('cold: the next invocation of each version', async () => {
  await lk.create('fn', COUNT);
  await lk.api('POST', '/2015-03-31/functions/fn/versions', {});
  assert.deepEqual([await lk.call('fn', {}), await lk.call('fn', {}), await lk.call('fn:1', {})], [1, 2, 1]);
  assert.equal((await post('/_lambkin/cold/fn')).status, 200);
  assert.deepEqual([await lk.call('fn', {}), await lk.call('fn', {}), await lk.call('fn:1', {})], [1, 2, 1]);
  assert.equal((await post('/_lambkin/cold/nobody')).status, 404);
  assert.equal((await lk.request('GET', '/_lambkin/reset')).status, 404, 'not by accident');
  assert.equal((await post('/_lambkin/resetting')).status, 404, 'nor by another name');
  assert.equal(await lk.call('fn', {}), 3, 'it is there');
});

test('a web page from elsewhere may not call', async () => {
  const form = { '/': 'Action=ListRoles&Version=2010-05-08' };
  const from = (origin, path) => lk.request('POST', path, form[path] ?? '{}',
    { Origin: origin, 'Content-Type': form[path] ? 'application/x-www-form-urlencoded' : 'text/plain' });
  for (const path of ['/_lambkin/reset', '/_lambkin/cold/fn', '/2015-03-31/functions/fn/invocations', '/']) {
    for (const origin of ['https://example.com', 'http://localhost.example.com', 'null']) {
      const answer = await from(origin, path);
      assert.equal(answer.status, 403, `${origin} ${path}`);
      assert.match(answer.body.toString(), /may not call lambkin/);
    }
  }
  assert.equal((await from('http://localhost:3000', '/2015-03-31/functions/fn/invocations')).status, 200, 'nothing was deleted');
});

test('a web page that has its own name lead here may not call', async () => {
  const get = (host) => lk.request('GET', '/2015-03-31/functions', undefined, { Host: host });
  const refused = await get('evil.example.com:4566');
  assert.deepEqual([refused.status, refused.headers['x-amzn-errortype']], [403, 'AccessDeniedException']);
  assert.match(refused.body.toString(), /name evil\.example\.com:4566/);
  for (const host of ['localhost:4566', 'lambda.us-east-1.amazonaws.com']) assert.equal((await get(host)).status, 200, host);
});

test('reset: nothing is left, in memory, on disk, after a restart', async () => {
  await lk.call('fn', {});
  const layer = await lk.api('POST', '/2018-10-31/layers/l/versions', { Content: { ZipFile: zip({ a: '1' }).toString('base64') } });
  assert.equal(layer.status, 201);
  await lk.api('POST', '/2015-03-31/functions/fn/aliases', { Name: 'live', FunctionVersion: '1' });
  const logs = (op, body) => lk.request('POST', '/', JSON.stringify(body), { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': `Logs_20140328.${op}`,
    Authorization: lk.authorization() });
  await until(async () => (await logs('DescribeLogGroups', {})).json.logGroups.length > 0, 'the log group');
  const answer = await post('/_lambkin/reset');
  assert.deepEqual([answer.status, answer.json], [200, {}]);
  const nothing = async () => {
    assert.deepEqual((await lk.api('GET', '/2015-03-31/functions')).json.Functions, []);
    assert.deepEqual((await lk.api('GET', '/2018-10-31/layers')).json.Layers, []);
    assert.deepEqual((await logs('DescribeLogGroups', {})).json.logGroups, []);
    assert.equal((await lk.api('GET', '/2015-03-31/functions/fn/aliases/live')).status, 404);
  };
  await nothing();
  await until(() => lk.payloads.length === 0, 'the environments to go');
  await lk.stop({ keep: true });
  await lk.begin();
  await nothing();
  await lk.create('fn', COUNT);
  assert.equal(await lk.call('fn', {}), 1);
  assert.equal((await lk.api('POST', '/2015-03-31/functions/fn/versions', {})).json.Version, '1');
});
