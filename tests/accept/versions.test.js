/* Versions and aliases: publishing, its no-op rule, qualifiers everywhere, weighted routing. */
'use strict';
const assert = require('node:assert/strict');
const { test, before, after } = require('node:test');
const { Lambkin, ACCOUNT, REGION, zip } = require('./lib/lambkin');

let lk;
before(async () => { lk = await Lambkin.start(); });
after(() => lk.stop());

const V = '/2015-03-31/functions';
const code = (text) => ({ 'app.py': `import os\ndef handler(e, c): return ["${text}", c.function_version, c.invoked_function_arn, os.environ["AWS_LAMBDA_FUNCTION_VERSION"]]\n` });
const zipped = (text) => zip(code(text)).toString('base64');
const arn = (name, qualifier) => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}${qualifier ? `:${qualifier}` : ''}`;
const get = async (path) => lk.api('GET', `${V}/${path}`);
const post = async (path, body = {}) => lk.api('POST', `${V}/${path}`, body);
const put = async (path, body = {}) => lk.api('PUT', `${V}/${path}`, body);
const remove = async (path) => lk.api('DELETE', `${V}/${path}`);

function fails(answer, status, code, message) {
  assert.deepEqual([answer.status, answer.headers['x-amzn-errortype'], answer.json.message ?? answer.json.Message], [status, code, message]);
}

async function update(name, changes) {
  assert.equal((await put(`${name}/configuration`, changes)).status, 200);
  return lk.settled(name);
}

test('publishing: a number, its own ARN and revision; nothing new without a change', async () => {
  await lk.create('pub', code('one'), { Description: 'first' });
  const before = (await get('pub/configuration')).json;
  const one = await post('pub/versions');
  assert.equal(one.status, 201);
  assert.deepEqual([one.json.Version, one.json.FunctionArn, one.json.State, one.json.LastUpdateStatus, one.json.Description],
    ['1', arn('pub', 1), 'Active', 'Successful', 'first']);
  const latest = (await get('pub/configuration')).json;
  assert.notEqual(latest.RevisionId, before.RevisionId);
  assert.notEqual(latest.RevisionId, one.json.RevisionId);
  const again = await post('pub/versions', { Description: 'ignored' });
  assert.equal(again.status, 201);
  assert.deepEqual(again.json, one.json);
  assert.equal((await get('pub/configuration')).json.RevisionId, latest.RevisionId, 'a no-op changes nothing');
  await update('pub', { Description: 'second' });
  assert.equal((await post('pub/versions', { Description: 'of its own' })).json.Description, 'of its own');
  assert.deepEqual((await get('pub/configuration?Qualifier=1')).json, one.json, 'immutable');
  await lk.api('PUT', `${V}/pub/code`, { ZipFile: zipped('two') });
  await lk.settled('pub');
  assert.equal((await post('pub/versions')).json.Version, '3');
  assert.deepEqual((await lk.call('pub:1', {})).slice(0, 2), ['one', '1']);
  assert.deepEqual(await lk.call('pub', {}, {}), ['two', '$LATEST', arn('pub'), '$LATEST']);
  const qualified = await lk.request('POST', `${V}/pub/invocations?Qualifier=3`, '{}', { Authorization: lk.authorization() });
  assert.deepEqual([qualified.json, qualified.headers['x-amz-executed-version']], [['two', '3', arn('pub', 3), '3'], '3']);
});

test('publishing: what is refused', async () => {
  await lk.create('refuse', code('x'));
  const latest = (await get('refuse/configuration')).json;
  fails(await post('refuse/versions', { CodeSha256: 'abc' }), 400, 'InvalidParameterValueException',
    `CodeSHA256 (abc) is different from current CodeSHA256 in $LATEST (${latest.CodeSha256}). Please try again with the CodeSHA256 in $LATEST.`);
  fails(await post('refuse/versions', { RevisionId: 'no' }), 412, 'PreconditionFailedException',
    'The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id');
  fails(await post('nobody/versions'), 404, 'ResourceNotFoundException', `Function not found: ${arn('nobody')}`);
  assert.equal((await post('refuse/versions', { CodeSha256: latest.CodeSha256, RevisionId: latest.RevisionId })).json.Version, '1');
  for (const q of ['2', '0', '01', '99999999999999999999']) fails(await get(`refuse?Qualifier=${q}`), 404, 'ResourceNotFoundException', `Function not found: ${arn('refuse', q)}`);
});

test('Publish of CreateFunction and UpdateFunctionCode', async () => {
  const created = await lk.create('flag', code('a'), { Publish: true, wait: false });
  assert.deepEqual([created.Version, created.FunctionArn, created.State], ['1', arn('flag'), 'Pending']);
  await lk.settled('flag');
  const one = (await get('flag/configuration?Qualifier=1')).json;
  assert.deepEqual([one.Version, one.FunctionArn, one.State, one.LastUpdateStatus], ['1', arn('flag', 1), 'Active', 'Successful']);
  const updated = await put('flag/code', { ZipFile: zipped('b'), Publish: true });
  assert.deepEqual([updated.status, updated.json.Version, updated.json.FunctionArn, updated.json.State, updated.json.LastUpdateStatus],
    [200, '2', arn('flag', 2), 'Pending', undefined]);
  await lk.settled('flag');
  assert.deepEqual([(await lk.call('flag:1', {}))[0], (await lk.call('flag:2', {}))[0], (await lk.call('flag', {}))[0]], ['a', 'b', 'b']);
  assert.equal((await get('flag/configuration?Qualifier=2')).json.State, 'Active');
});

test('lists: $LATEST first, then the numbers in their order, in pages; numbers are never used again', async () => {
  await lk.create('many', code('x'));
  for (let i = 1; i <= 12; i++) {
    await update('many', { Description: `${i}` });
    await post('many/versions');
  }
  const all = (await get('many/versions')).json;
  assert.deepEqual(all.Versions.map((v) => [v.Version, v.FunctionArn]),
    ['$LATEST', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map((v) => [String(v), arn('many', v)]));
  assert.equal(all.NextMarker, undefined);
  assert.ok(all.Versions.every((v) => v.State === undefined && v.LastUpdateStatus === undefined && v.RuntimeVersionConfig === undefined));
  const pages = [];
  for (let marker = ''; ;) {
    const page = (await get(`many/versions?MaxItems=5${marker && `&Marker=${encodeURIComponent(marker)}`}`)).json;
    pages.push(page.Versions.map((v) => v.Version).join());
    marker = page.NextMarker;
    if (!marker) break;
  }
  assert.deepEqual(pages, ['$LATEST,1,2,3,4', '5,6,7,8,9', '10,11,12']);
  assert.equal((await remove('many?Qualifier=12')).status, 204);
  assert.equal((await remove('many?Qualifier=12')).status, 204, 'again');
  assert.equal((await remove('many:3')).status, 204);
  fails(await get('many?Qualifier=3'), 404, 'ResourceNotFoundException', `Function not found: ${arn('many', 3)}`);
  await update('many', { Description: 'new' });
  assert.equal((await post('many/versions')).json.Version, '13');
  await lk.create('none', code('x'));
  const everything = (await lk.api('GET', `${V}?FunctionVersion=ALL`)).json.Functions.filter((f) => /^(many|none)$/.test(f.FunctionName));
  assert.deepEqual(everything.map((f) => f.FunctionArn), [...['$LATEST', 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 13].map((v) => arn('many', v)), arn('none', '$LATEST')]);
  fails(await remove('many?Qualifier=$LATEST'), 400, 'InvalidParameterValueException', '$LATEST version cannot be deleted without deleting the function.');
});

test('a version is kept over a restart and gone with its function', async () => {
  await lk.create('kept', code('one'), { env: { KEY: 'v' } });
  const one = (await post('kept/versions')).json;
  const alias = (await post('kept/aliases', { Name: 'live', FunctionVersion: '1' })).json;
  await lk.stop({ keep: true });
  await lk.begin();
  assert.deepEqual((await get('kept/configuration?Qualifier=1')).json, one);
  assert.deepEqual((await get('kept/aliases/live')).json, alias);
  assert.deepEqual((await post('kept/versions', {})).json, one, 'still nothing new');
  assert.equal((await lk.call('kept:live', {}))[2], arn('kept', 'live'));
  assert.equal((await remove('kept')).status, 204);
  await lk.create('kept', code('two'));
  fails(await get('kept?Qualifier=1'), 404, 'ResourceNotFoundException', `Function not found: ${arn('kept', 1)}`);
  fails(await get('kept/aliases/live'), 404, 'ResourceNotFoundException', `Cannot find alias arn: ${arn('kept', 'live')}`);
  assert.equal((await post('kept/versions')).json.Version, '1', 'a new function counts anew');
});

test('aliases: create, read, change, list, delete', async () => {
  await lk.create('al', code('one'));
  await post('al/versions');
  await update('al', { Description: 'two' });
  await post('al/versions');
  const made = await post('al/aliases', { Name: 'live', FunctionVersion: '1' });
  assert.equal(made.status, 201);
  assert.deepEqual({ ...made.json, RevisionId: 0 }, { AliasArn: arn('al', 'live'), Name: 'live', FunctionVersion: '1', Description: '', RevisionId: 0 });
  assert.deepEqual((await get('al/aliases/live')).json, made.json);
  fails(await post('al/aliases', { Name: 'live', FunctionVersion: '2' }), 409, 'ResourceConflictException', `Alias already exists: ${arn('al', 'live')}`);
  fails(await post('al/aliases', { Name: 'x', FunctionVersion: '10' }), 404, 'ResourceNotFoundException', `Function not found: ${arn('al', 10)}`);
  fails(await post('nobody/aliases', { Name: 'x', FunctionVersion: '1' }), 404, 'ResourceNotFoundException', `Function not found: ${arn('nobody', 1)}`);
  assert.equal((await post('al/aliases', { Name: '2024-01-02', FunctionVersion: '$LATEST' })).status, 201);
  assert.equal((await post('al/aliases', { Name: '2024', FunctionVersion: '1' })).headers['x-amzn-errortype'], 'ValidationException');
  fails(await put('al/aliases/none', {}), 404, 'ResourceNotFoundException', `Alias not found: ${arn('al', 'none')}`);
  fails(await get('al/aliases/none'), 404, 'ResourceNotFoundException', `Cannot find alias arn: ${arn('al', 'none')}`);
  fails(await get('al?Qualifier=none'), 404, 'ResourceNotFoundException', `Function not found: ${arn('al', 'none')}`);
  fails(await lk.invoke('al:none', {}), 404, 'ResourceNotFoundException', `Function not found: ${arn('al', 'none')}`);
  fails(await put('al/aliases/live', { RevisionId: 'x' }), 412, 'PreconditionFailedException',
    'The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id');
  const same = await put('al/aliases/live', {});
  assert.equal(same.status, 200);
  assert.notEqual(same.json.RevisionId, made.json.RevisionId);
  const moved = await put('al/aliases/live', { FunctionVersion: '2', Description: 'text', RevisionId: same.json.RevisionId });
  assert.deepEqual([moved.json.FunctionVersion, moved.json.Description], ['2', 'text']);
  const through = (await get('al?Qualifier=live')).json.Configuration;
  assert.deepEqual([through.FunctionArn, through.Version, through.RevisionId],
    [arn('al', 'live'), '2', (await get('al/configuration?Qualifier=2')).json.RevisionId]);
  const list = async (query) => (await get(`al/aliases${query}`)).json;
  assert.deepEqual((await list('')).Aliases.map((a) => a.Name), ['2024-01-02', 'live']);
  assert.deepEqual((await list('?FunctionVersion=2')).Aliases.map((a) => a.Name), ['live']);
  const first = await list('?MaxItems=1');
  assert.deepEqual([first.Aliases.length, (await list(`?MaxItems=1&Marker=${first.NextMarker}`)).Aliases.map((a) => a.Name)], [1, ['live']]);
  fails(await remove('al?Qualifier=live'), 400, 'InvalidParameterValueException', 'Deletion of aliases is not currently supported.');
  assert.equal((await remove('al?Qualifier=2')).status, 409, 'a version that an alias leads to');
  assert.equal((await remove('al/aliases/live')).status, 204);
  assert.equal((await remove('al/aliases/live')).status, 204, 'again');
  assert.equal((await remove('al?Qualifier=2')).status, 204);
});

test('weights: what is refused, kept and cleared', async () => {
  await lk.create('we', code('one'));
  await post('we/versions');
  await update('we', { Description: 'two' });
  await post('we/versions');
  const routed = (weights, version = '1') => post('we/aliases', { Name: 'w', FunctionVersion: version, RoutingConfig: { AdditionalVersionWeights: weights } });
  fails(await routed({ 2: 0.1, 3: 0.1 }), 400, 'InvalidParameterValueException', 'Number of items in AdditionalVersionWeights cannot be greater than 1');
  fails(await routed({ 1: 0.1 }), 400, 'InvalidParameterValueException', 'Invalid function version 1. Function version 1 is already included in routing configuration.');
  const untyped = await routed({ 2: 0.1 }, '$LATEST');
  fails(untyped, 400, 'InvalidParameterValueException', '$LATEST is not supported for an alias pointing to more than 1 version');
  assert.equal(untyped.json.Type, undefined);
  fails(await routed({ 9: 0.1 }), 404, 'ResourceNotFoundException', `Function not found: ${arn('we', 9)}`);
  assert.match((await routed({ 2: 2.0 })).json.message, /Map value must satisfy constraint: \[Member must have value less than or equal to 1\.0, Member must have value greater than or equal to 0\.0, Member must not be null\]/);
  assert.match((await routed({ x: 0.5 })).json.message, /Map keys must satisfy constraint/);
  assert.deepEqual((await routed({ 2: 0.25 })).json.RoutingConfig, { AdditionalVersionWeights: { 2: 0.25 } });
  assert.deepEqual((await put('we/aliases/w', { Description: 'x' })).json.RoutingConfig, { AdditionalVersionWeights: { 2: 0.25 } });
  assert.equal((await put('we/aliases/w', { RoutingConfig: {} })).json.RoutingConfig, undefined);
  assert.equal((await get('we/aliases/w')).json.RoutingConfig, undefined);
  await remove('we/aliases/w');
  assert.equal((await routed({})).json.RoutingConfig, undefined);
});

test('weights split the invocations: 10,000 at 0.1 fall within 3 sigma', async () => {
  await lk.create('split', code('one'));
  await post('split/versions');
  await update('split', { Description: 'two' });
  await post('split/versions');
  await post('split/aliases', { Name: 'w', FunctionVersion: '1', RoutingConfig: { AdditionalVersionWeights: { 2: 0.1 } } });
  let second = 0;
  const worker = async (n) => {
    for (let i = 0; i < n; i++) {
      const answer = await lk.invoke('split:w', {}, { 'X-Amz-Log-Type': 'None' });
      assert.equal(answer.json[1], answer.headers['x-amz-executed-version']);
      assert.equal(answer.json[2], arn('split', 'w'));
      second += answer.json[1] === '2';
    }
  };
  await Promise.all(Array.from({ length: 8 }, () => worker(1250)));
  assert.ok(Math.abs(second - 1000) <= 3 * Math.sqrt(10000 * 0.1 * 0.9), `${second} of 10000`);
});
