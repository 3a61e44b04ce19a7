/* What belongs to functions: permissions, concurrency, tags, URLs, asynchronous settings, code signing, layers. */
'use strict';
const assert = require('node:assert/strict');
const { test, before, after } = require('node:test');
const { Lambkin, ACCOUNT, REGION, until, zip } = require('./lib/lambkin');

let lk;
const ECHO = { 'app.py': 'def handler(e, c): return e\n' };
const arn = (name, qualifier) => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}${qualifier ? `:${qualifier}` : ''}`;
const q = encodeURIComponent;

before(async () => {
  lk = await Lambkin.start();
  await lk.create('fn', ECHO);
  await lk.api('POST', '/2015-03-31/functions/fn/versions', {});
  await lk.api('POST', '/2015-03-31/functions/fn/aliases', { Name: 'live', FunctionVersion: '1' });
  await lk.create('other', ECHO);
});
after(() => lk.stop());

function fails(answer, status, code, message) {
  assert.deepEqual([answer.status, answer.headers['x-amzn-errortype'], answer.json?.message ?? answer.json?.Message], [status, code, message]);
}
const gone = 'The resource you requested does not exist.';

/* ---- permissions ---- */

const policy = (path) => `/2015-03-31/functions/${path}`;
const allow = (name, body, query = '') => lk.api('POST', policy(`${name}/policy${query}`), { StatementId: 's', Action: 'lambda:InvokeFunction', Principal: 's3.amazonaws.com', ...body });

test('permissions: every principal and condition, as AddPermission writes them', async () => {
  await lk.create('perm', ECHO);
  const cases = [
    [{ Principal: 's3.amazonaws.com' }, { Principal: { Service: 's3.amazonaws.com' } }],
    [{ Principal: '123456789012' }, { Principal: { AWS: 'arn:aws:iam::123456789012:root' } }],
    [{ Principal: 'arn:aws:iam::123456789012:role/r' }, { Principal: { AWS: 'arn:aws:iam::123456789012:role/r' } }],
    [{ Principal: '*' }, { Principal: '*' }],
    [{ SourceArn: 'arn:aws:s3:::b', SourceAccount: ACCOUNT }, { Principal: { Service: 's3.amazonaws.com' },
      Condition: { StringEquals: { 'AWS:SourceAccount': ACCOUNT }, ArnLike: { 'AWS:SourceArn': 'arn:aws:s3:::b' } } }],
    [{ Principal: '*', PrincipalOrgID: 'o-1234567890' }, { Principal: '*', Condition: { StringEquals: { 'aws:PrincipalOrgID': 'o-1234567890' } } }],
    [{ Principal: '*', Action: 'lambda:InvokeFunctionUrl', FunctionUrlAuthType: 'NONE' },
      { Principal: '*', Action: 'lambda:InvokeFunctionUrl', Condition: { StringEquals: { 'lambda:FunctionUrlAuthType': 'NONE' } } }],
    [{ Principal: 'alexa-appkit.amazon.com', EventSourceToken: 'token' },
      { Principal: { Service: 'alexa-appkit.amazon.com' }, Condition: { StringEquals: { 'lambda:EventSourceToken': 'token' } } }],
    [{ Principal: '123456789012', SourceAccount: ACCOUNT }, { Principal: { AWS: 'arn:aws:iam::123456789012:root' } }],
  ];
  const written = [];
  for (const [i, [body, statement]] of cases.entries()) {
    const answer = await allow('perm', { ...body, StatementId: `s${i}` });
    assert.equal(answer.status, 201, answer.text);
    const want = { Sid: `s${i}`, Effect: 'Allow', Action: 'lambda:InvokeFunction', Resource: arn('perm'), ...statement };
    assert.deepEqual(JSON.parse(answer.json.Statement), want);
    written.push(want);
  }
  /* The text itself: members and conditions in the recorded order. */
  const whole = await allow('other', { StatementId: 'all', Principal: '*', Action: 'lambda:InvokeFunctionUrl', SourceArn: 'arn:aws:s3:::b', SourceAccount: ACCOUNT,
    PrincipalOrgID: 'o-1234567890', FunctionUrlAuthType: 'NONE' });
  assert.equal(whole.json.Statement, `{"Sid":"all","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"${arn('other')}","Condition":{`
    + `"StringEquals":{"AWS:SourceAccount":"${ACCOUNT}","lambda:FunctionUrlAuthType":"NONE","aws:PrincipalOrgID":"o-1234567890"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"}}}`);
  const read = (await lk.api('GET', policy('perm/policy'))).json;
  assert.deepEqual(JSON.parse(read.Policy), { Version: '2012-10-17', Id: 'default', Statement: written });
  fails(await allow('perm', { StatementId: 's0' }), 409, 'ResourceConflictException',
    'The statement id (s0) provided already exists. Please provide a new statement id, or remove the existing statement.');
  fails(await allow('perm', { StatementId: 'x', Principal: 'nobody' }), 400, 'InvalidParameterValueException',
    'The provided principal was invalid. Please check the principal and try again.');
  fails(await allow('perm', { StatementId: 'x', RevisionId: 'no' }), 412, 'PreconditionFailedException',
    'The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id');
  assert.equal((await allow('perm', { StatementId: 'x', RevisionId: read.RevisionId })).status, 201);
  fails(await lk.api('DELETE', policy('perm/policy/x?RevisionId=no')), 412, 'PreconditionFailedException',
    'The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id');
  assert.equal((await lk.api('DELETE', policy('perm/policy/x'))).status, 204);
  fails(await lk.api('DELETE', policy('perm/policy/x')), 404, 'ResourceNotFoundException', 'Statement x is not found in resource policy.');
});

test('permissions: each qualifier has a policy of its own; the last statement takes it away', async () => {
  fails(await lk.api('GET', policy('fn/policy')), 404, 'ResourceNotFoundException', gone);
  fails(await lk.api('DELETE', policy('fn/policy/s')), 404, 'ResourceNotFoundException', 'No policy is associated with the given resource.');
  fails(await lk.api('DELETE', policy('nobody/policy/s')), 404, 'ResourceNotFoundException', `No policy found for: ${arn('nobody')}`);
  fails(await lk.api('GET', policy('nobody/policy')), 404, 'ResourceNotFoundException', `Function not found: ${arn('nobody')}`);
  fails(await allow('fn', {}, '?Qualifier=no-%24-alias'), 404, 'ResourceNotFoundException', `Function not found: ${arn('fn', 'no-$-alias')}`);
  fails(await allow('nobody', {}), 404, 'ResourceNotFoundException', `Function not found: ${arn('nobody')}`);
  fails(await allow('fn', {}, '?Qualifier=nolive'), 404, 'ResourceNotFoundException', `Cannot find alias arn: ${arn('fn', 'nolive')}`);
  fails(await allow('fn', {}, '?Qualifier=9'), 404, 'ResourceNotFoundException', `Function not found: ${arn('fn', 9)}`);
  fails(await allow('fn', {}, '?Qualifier=%24LATEST'), 400, 'InvalidParameterValueException', 'We currently do not support adding policies for $LATEST.');
  for (const qualifier of [undefined, '1', 'live']) {
    const query = qualifier ? `?Qualifier=${qualifier}` : '';
    assert.equal(JSON.parse((await allow('fn', {}, query)).json.Statement).Resource, arn('fn', qualifier));
  }
  assert.equal((await lk.api('DELETE', policy('fn/policy/s?Qualifier=live'))).status, 204);
  fails(await lk.api('GET', policy('fn/policy?Qualifier=live')), 404, 'ResourceNotFoundException', gone);
  assert.equal((await lk.api('GET', policy('fn:1/policy'))).status, 200);
  assert.match((await allow('fn', { StatementId: 'a.b' })).json.message, /at 'statementId' failed to satisfy constraint: Member must satisfy regular expression pattern/);
});

test('permissions: 20 KB', async () => {
  await lk.create('big', ECHO);
  let last;
  for (let i = 0; i < 100; i++) {
    last = await allow('big', { StatementId: `${'x'.repeat(90)}${i}`, SourceArn: `arn:aws:s3:::${'b'.repeat(60)}` });
    if (last.status !== 201) break;
  }
  assert.deepEqual([last.status, last.headers['x-amzn-errortype']], [400, 'PolicyLengthExceededException']);
  assert.ok((await lk.api('GET', policy('big/policy'))).json.Policy.length <= 20480);
  /* What is longer once it is escaped is refused, not cut. */
  await lk.create('escaped', ECHO);
  for (const [controls, plain] of [[2200, 7700], [9900, 0], [400, 9500]]) {
    const SourceArn = `arn:aws:s3:::${'\u0001'.repeat(controls)}${'b'.repeat(plain)}`;
    const answer = await allow('escaped', { StatementId: `s${controls}`, SourceArn });
    const fits = 6 * controls + plain < 20000;
    assert.equal(answer.status, fits ? 201 : 400, answer.text);
    if (fits) assert.equal(JSON.parse(answer.json.Statement).Condition.ArnLike['AWS:SourceArn'], SourceArn);
  }
  assert.equal(JSON.parse((await lk.api('GET', policy('escaped/policy'))).json.Policy).Statement.length, 1);
});

/* ---- concurrency ---- */

const reserve = (name, n) => lk.api('PUT', `/2017-10-31/functions/${name}/concurrency`, { ReservedConcurrentExecutions: n });

test('reserved concurrency', async () => {
  const read = async (name) => lk.api('GET', `/2019-09-30/functions/${name}/concurrency`);
  assert.deepEqual((await read('fn')).json, {});
  assert.deepEqual((await reserve('fn', 5)).json, { ReservedConcurrentExecutions: 5 });
  assert.deepEqual((await read('fn')).json, { ReservedConcurrentExecutions: 5 });
  assert.deepEqual((await lk.api('GET', '/2015-03-31/functions/fn')).json.Concurrency, { ReservedConcurrentExecutions: 5 });
  const settings = (await lk.api('GET', '/2016-08-19/account-settings')).json.AccountLimit;
  assert.equal(settings.UnreservedConcurrentExecutions, settings.ConcurrentExecutions - 5);
  fails(await reserve('nobody', 1), 404, 'ResourceNotFoundException', `Function not found: ${arn('nobody')}:$LATEST`);
  fails(await reserve('fn:1', 1), 400, 'InvalidParameterValueException', 'This operation is permitted on Lambda functions only. Aliases and versions do '
    + 'not support this operation. Please specify either a function name or an unqualified function ARN.');
  const tooHigh = 'Specified ReservedConcurrentExecutions for function decreases account\'s UnreservedConcurrentExecution below its minimum value of [100].';
  fails(await reserve('other', settings.ConcurrentExecutions - 104), 400, 'InvalidParameterValueException', tooHigh);
  assert.equal((await reserve('other', settings.ConcurrentExecutions - 105)).status, 200);
  assert.equal((await reserve('other', 0)).status, 200);
  const refused = await lk.invoke('other', {});
  assert.deepEqual([refused.status, refused.headers['x-amzn-errortype'], refused.json],
    [429, 'TooManyRequestsException', { Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded', Type: 'User', message: 'Rate Exceeded.' }]);
  assert.equal(await lk.call('fn', 1), 1);
  assert.equal((await lk.api('DELETE', '/2017-10-31/functions/other/concurrency')).status, 204);
  assert.equal((await lk.api('DELETE', '/2017-10-31/functions/fn/concurrency')).status, 204);
  assert.equal((await lk.api('GET', '/2015-03-31/functions/fn')).json.Concurrency, undefined);
  assert.equal(await lk.call('other', 2), 2);
});

test('provisioned concurrency: environments made ahead, from IN_PROGRESS to READY; first in line', async () => {
  const at = (name, query) => `/2019-09-30/functions/${name}/provisioned-concurrency${query}`;
  await lk.create('prov', { 'app.py': 'import os, time\nT = os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]\ndef handler(e, c):\n    time.sleep(e)\n    return T\n' });
  for (const n of [1, 2]) {
    await lk.configure('prov', { Description: `${n}` });
    await lk.api('POST', '/2015-03-31/functions/prov/versions', {});
  }
  await lk.api('POST', '/2015-03-31/functions/prov/aliases', { Name: 'a', FunctionVersion: '1' });
  const put = (query, n = 2, name = 'prov') => lk.api('PUT', at(name, query), { ProvisionedConcurrentExecutions: n });
  const ready = (query) => until(async () => {
    const { json } = await lk.api('GET', at('prov', query));
    return json.Status === 'READY' && json;
  }, 'the environments');
  fails(await put('?Qualifier=%24LATEST'), 400, 'InvalidParameterValueException', 'Provisioned Concurrency Configs cannot be applied to unpublished function versions.');
  fails(await lk.api('GET', at('prov', '?Qualifier=%24LATEST')), 400, 'InvalidParameterValueException', 'The function resource provided must be an alias or a published version.');
  fails(await lk.api('GET', at('prov', '?Qualifier=1')), 404, 'ProvisionedConcurrencyConfigNotFoundException', 'No Provisioned Concurrency Config found for this function');
  fails(await put('?Qualifier=9'), 404, 'ResourceNotFoundException', `Function not found: ${arn('prov', 9)}`);
  fails(await put('?Qualifier=none'), 404, 'ResourceNotFoundException', `Cannot find alias arn: ${arn('prov', 'none')}`);
  assert.equal((await put('?Qualifier=1', 0)).headers['x-amzn-errortype'], 'ValidationException');
  const first = await put('?Qualifier=1');
  assert.equal(first.status, 202, first.text);
  assert.deepEqual({ ...first.json, LastModified: 0 }, { RequestedProvisionedConcurrentExecutions: 2, AllocatedProvisionedConcurrentExecutions: 0,
    AvailableProvisionedConcurrentExecutions: 0, Status: 'IN_PROGRESS', LastModified: 0 });
  const now = await ready('?Qualifier=1');
  assert.deepEqual([now.AllocatedProvisionedConcurrentExecutions, now.AvailableProvisionedConcurrentExecutions], [2, 2]);
  const types = await Promise.all([0.5, 0.5, 0.5].map((s) => lk.call('prov:1', s)));
  assert.deepEqual(types.sort(), ['on-demand', 'provisioned-concurrency', 'provisioned-concurrency']);
  const { stdout } = await lk.cli(['logs', 'prov']);
  assert.equal((stdout.match(/INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: init\tStatus: success\n/g) || []).length, 2, 'of those alone');
  assert.equal(await lk.call('prov', 0), 'on-demand');
  fails(await put('?Qualifier=a'), 409, 'ResourceConflictException', 'Alias can\'t be used for Provisioned Concurrency configuration on an already Provisioned version');
  assert.equal((await lk.api('DELETE', at('prov', '?Qualifier=1'))).status, 204);
  assert.equal((await lk.api('DELETE', at('prov', '?Qualifier=1'))).status, 204);
  assert.equal((await put('?Qualifier=a', 1)).status, 202);
  fails(await put('?Qualifier=1'), 409, 'ResourceConflictException', 'Version is pointed by a Provisioned Concurrency alias');
  await ready('?Qualifier=a');
  assert.equal(await lk.call('prov:a', 0), 'provisioned-concurrency');
  await lk.api('PUT', '/2015-03-31/functions/prov/aliases/a', { FunctionVersion: '2' });
  await ready('?Qualifier=a');
  assert.equal(await lk.call('prov:2', 0), 'provisioned-concurrency', 'it follows the alias');
  fails(await reserve('prov', 0), 400, 'InvalidParameterValueException', ' ReservedConcurrentExecutions  0 should not be lower than function\'s total provisioned concurrency [1].');
  assert.equal((await reserve('prov', 1)).status, 200);
  assert.equal((await lk.invoke('prov', 0)).status, 429, 'all of the reservation is provisioned');
  assert.equal(await lk.call('prov:a', 0), 'provisioned-concurrency');
  fails(await put('?Qualifier=1', 1), 400, 'InvalidParameterValueException',
    'Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function');
  const list = (await lk.api('GET', at('prov', '?List=ALL'))).json.ProvisionedConcurrencyConfigs;
  assert.deepEqual(list.map((c) => [c.FunctionArn, c.Status]), [[arn('prov', 'a'), 'READY']]);
  await lk.stop({ keep: true });
  await lk.begin();
  await ready('?Qualifier=a');
  await lk.api('DELETE', '/2015-03-31/functions/prov/aliases/a');
  assert.deepEqual((await lk.api('GET', at('prov', '?List=ALL'))).json, { ProvisionedConcurrencyConfigs: [] });
  await lk.api('DELETE', '/2017-10-31/functions/prov/concurrency');
  const settings = (await lk.api('GET', '/2016-08-19/account-settings')).json.AccountLimit;
  fails(await put('?Qualifier=1', settings.UnreservedConcurrentExecutions + 1), 400, 'InvalidParameterValueException',
    `Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [${settings.UnreservedConcurrentExecutions}].`);
  fails(await put('?Qualifier=1', settings.UnreservedConcurrentExecutions - 99), 400, 'InvalidParameterValueException',
    'Specified ConcurrentExecutions for function decreases account\'s UnreservedConcurrentExecution below its minimum value of [100].');
});

test('provisioned concurrency: a version that goes gives its share of the reservation back', async () => {
  await lk.create('share', ECHO);
  await lk.api('POST', '/2015-03-31/functions/share/versions', {});
  assert.equal((await lk.api('PUT', '/2019-09-30/functions/share/provisioned-concurrency?Qualifier=1', { ProvisionedConcurrentExecutions: 1 })).status, 202);
  assert.equal((await reserve('share', 1)).status, 200);
  assert.equal((await lk.invoke('share', 1)).status, 429);
  assert.equal((await lk.api('DELETE', '/2015-03-31/functions/share?Qualifier=1')).status, 204);
  assert.equal(await lk.call('share', 1), 1);
});

test('provisioned concurrency: what one function has is not another\'s', async () => {
  const left = async () => (await lk.api('GET', '/2016-08-19/account-settings')).json.AccountLimit.UnreservedConcurrentExecutions;
  const at = (name) => `/2019-09-30/functions/${name}/provisioned-concurrency?Qualifier=1`;
  const put = (name, n) => lk.api('PUT', at(name), { ProvisionedConcurrentExecutions: n });
  for (const name of ['mine', 'yours']) {
    await lk.create(name, ECHO);
    await lk.api('POST', `/2015-03-31/functions/${name}/versions`, {});
  }
  const was = await left();
  assert.equal((await put('mine', 3)).status, 202);
  assert.equal(await left(), was - 3);
  assert.equal((await put('mine', 2)).status, 202, 'its own is not in its way');
  assert.equal(await left(), was - 2);
  const tooMuch = (name) => `Specified ${name} for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].`;
  fails(await put('yours', was - 101), 400, 'InvalidParameterValueException', tooMuch('ConcurrentExecutions'));
  fails(await put('yours', was - 1), 400, 'InvalidParameterValueException',
    `Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [${was - 2}].`);
  fails(await reserve('yours', was - 101), 400, 'InvalidParameterValueException', tooMuch('ReservedConcurrentExecutions'));
  assert.equal((await reserve('mine', 5)).status, 200);
  assert.equal(await left(), was - 5, 'a reservation holds what is provisioned');
  await lk.api('DELETE', at('mine'));
  await lk.api('DELETE', '/2017-10-31/functions/mine/concurrency');
  assert.equal(await left(), was);
});

test('provisioned concurrency: an init that fails', async () => {
  await lk.create('broken', { 'app.py': 'raise RuntimeError("no")\n' });
  await lk.api('POST', '/2015-03-31/functions/broken/versions', {});
  const at = '/2019-09-30/functions/broken/provisioned-concurrency?Qualifier=1';
  assert.equal((await lk.api('PUT', at, { ProvisionedConcurrentExecutions: 2 })).status, 202);
  const failed = await until(async () => {
    const { json } = await lk.api('GET', at);
    return json.Status !== 'IN_PROGRESS' && json;
  }, 'the failure');
  assert.deepEqual([failed.Status, failed.StatusReason, failed.AllocatedProvisionedConcurrentExecutions], ['FAILED', 'FUNCTION_ERROR_INIT_FAILURE', 0]);
  assert.equal((await lk.invoke('broken:1', {})).json.errorMessage, 'no');
});

/* ---- tags ---- */

const tags = (resource) => `/2017-03-31/tags/${q(resource)}`;

test('tags of functions', async () => {
  await lk.create('tagged', ECHO);
  const one = arn('tagged');
  assert.deepEqual((await lk.api('GET', tags(one))).json, { Tags: {} });
  const before = (await lk.api('GET', '/2015-03-31/functions/tagged')).json.Configuration.RevisionId;
  assert.equal((await lk.api('POST', tags(one), { Tags: { a: '1', b: '2', c: '' } })).status, 204);
  assert.equal((await lk.api('POST', tags(one), { Tags: { b: 'new' } })).status, 204);
  assert.deepEqual((await lk.api('GET', tags(one))).json, { Tags: { a: '1', b: 'new', c: '' } });
  const now = (await lk.api('GET', '/2015-03-31/functions/tagged')).json;
  assert.deepEqual(now.Tags, { a: '1', b: 'new', c: '' });
  assert.notEqual(now.Configuration.RevisionId, before);
  assert.equal(now.Configuration.LastUpdateStatus, 'Successful');
  assert.equal((await lk.api('DELETE', `${tags(one)}?tagKeys=a&tagKeys=c&tagKeys=none`)).status, 204);
  assert.deepEqual((await lk.api('GET', tags(one))).json, { Tags: { b: 'new' } });
  fails(await lk.api('POST', tags(one), { Tags: {} }), 400, 'InvalidParameterValueException', 'An error occurred and the request cannot be processed.');
  fails(await lk.api('DELETE', tags(one)), 400, 'ValidationException',
    "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null");
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, 'v']));
  fails(await lk.api('POST', tags(one), { Tags: many }), 400, 'InvalidParameterValueException', 'Number of tags exceeds resource tag limit.');
  assert.deepEqual((await lk.api('GET', tags(one))).json, { Tags: { b: 'new' } });
  fails(await lk.api('POST', tags(arn('nobody')), { Tags: { a: 'b' } }), 404, 'ResourceNotFoundException', `Function not found: ${arn('nobody')}`);
  for (const bad of ['tagged:1', 'tagged:live', 'tagged:$LATEST', 'nobody:7']) {
    fails(await lk.api('POST', tags(arn(bad)), { Tags: { a: 'b' } }), 400, 'InvalidParameterValueException',
      'Tags on function aliases and versions are not supported. Please specify a function ARN.');
  }
  assert.equal((await lk.api('GET', tags('x'))).headers['x-amzn-errortype'], 'ValidationException');
  /* A layer has tags as a whole, and loses them with its last version. */
  const layer = `arn:aws:lambda:us-east-1:${ACCOUNT}:layer:tagged`;
  fails(await lk.api('POST', tags(layer), { Tags: { a: 'b' } }), 404, 'ResourceNotFoundException', gone);
  const publish = () => lk.api('POST', '/2018-10-31/layers/tagged/versions', { Content: { ZipFile: zip({ a: 'a' }).toString('base64') } });
  assert.deepEqual([(await publish()).json.Version, (await publish()).json.Version], [1, 2]);
  assert.equal((await lk.api('POST', tags(layer), { Tags: { a: 'b' } })).status, 204);
  await lk.api('DELETE', '/2018-10-31/layers/tagged/versions/1');
  assert.deepEqual((await lk.api('GET', tags(layer))).json, { Tags: { a: 'b' } });
  await lk.api('DELETE', '/2018-10-31/layers/tagged/versions/2');
  fails(await lk.api('GET', tags(layer)), 404, 'ResourceNotFoundException', gone);
  assert.equal((await publish()).json.Version, 3);
  assert.deepEqual((await lk.api('GET', tags(layer))).json, { Tags: {} });
  await lk.api('DELETE', '/2018-10-31/layers/tagged/versions/3');
});

/* ---- function URLs ---- */

test('function URLs', async () => {
  const at = (name, query = '') => `/2021-10-31/functions/${name}/url${query}`;
  const made = await lk.api('POST', at('fn'), { AuthType: 'NONE' });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(Object.keys(made.json).sort(), ['AuthType', 'CreationTime', 'FunctionArn', 'FunctionUrl']);
  assert.match(made.json.FunctionUrl, /^https:\/\/[a-z0-9]{32}\.lambda-url\.us-east-1\.on\.aws\/$/);
  fails(await lk.api('POST', at('fn'), { AuthType: 'NONE' }), 409, 'ResourceConflictException',
    `Failed to create function url config for [functionArn = ${arn('fn')}]. Error message:  FunctionUrlConfig exists for this Lambda function`);
  const read = (await lk.api('GET', at('fn'))).json;
  assert.deepEqual([read.InvokeMode, read.FunctionUrl, typeof read.LastModifiedTime], ['BUFFERED', made.json.FunctionUrl, 'string']);
  const changed = (await lk.api('PUT', at('fn'), { AuthType: 'AWS_IAM', Cors: { AllowOrigins: ['*'], MaxAge: 5 } })).json;
  assert.deepEqual([changed.AuthType, changed.Cors, changed.InvokeMode], ['AWS_IAM', { AllowOrigins: ['*'], MaxAge: 5 }, undefined]);
  assert.equal((await lk.api('PUT', at('fn'), { InvokeMode: 'RESPONSE_STREAM' })).json.InvokeMode, 'RESPONSE_STREAM');
  assert.equal((await lk.api('PUT', at('fn'), {})).json.InvokeMode, 'RESPONSE_STREAM');
  assert.equal((await lk.api('POST', at('fn', '?Qualifier=live'), { AuthType: 'NONE' })).json.FunctionArn, arn('fn', 'live'));
  const list = async (query) => (await lk.api('GET', `/2021-10-31/functions/fn/urls${query}`)).json;
  assert.deepEqual((await list('')).FunctionUrlConfigs.map((u) => u.FunctionArn), [arn('fn'), arn('fn', 'live')]);
  const first = await list('?MaxItems=1');
  assert.deepEqual([first.FunctionUrlConfigs.length, (await list(`?MaxItems=1&Marker=${q(first.NextMarker)}`)).FunctionUrlConfigs.map((u) => u.FunctionArn)],
    [1, [arn('fn', 'live')]]);
  assert.equal((await lk.api('DELETE', at('fn'))).status, 204);
  fails(await lk.api('GET', at('fn')), 404, 'ResourceNotFoundException', gone);
  fails(await lk.api('DELETE', at('fn')), 404, 'ResourceNotFoundException', gone);
  assert.equal((await lk.api('GET', at('fn', '?Qualifier=live'))).status, 200, 'deleting the function\'s leaves the alias\'s');
  fails(await lk.api('POST', at('nobody'), { AuthType: 'NONE' }), 404, 'ResourceNotFoundException', 'Function does not exist');
  fails(await lk.api('POST', at('fn', '?Qualifier=nolive'), { AuthType: 'NONE' }), 404, 'ResourceNotFoundException', 'Function does not exist');
  fails(await lk.api('GET', at('nobody')), 404, 'ResourceNotFoundException', gone);
  /* They are told from the API by their host, whatever is asked for. */
  const url = (await lk.api('GET', at('fn', '?Qualifier=live'))).json.FunctionUrl;
  const call = async (host, method = 'GET', path = '/') => {
    const answer = await lk.request(method, path, undefined, { host });
    return [answer.status, answer.headers['x-amzn-errortype'], answer.json];
  };
  const own = new URL(url).host;
  for (const host of [own, own.replace('on.aws', `localhost:${lk.port}`)]) {
    assert.deepEqual(await call(host, 'POST', '/2015-03-31/functions?x=1'), [501, 'NotImplementedException',
      { Message: 'Not implemented by lambkin yet: requests to function URLs (invoke the function instead)' }]);
  }
  for (const host of [own.replace(/^./, (c) => (c === 'a' ? 'b' : 'a')), '.lambda-url.us-east-1.on.aws', 'x.y.lambda-url.']) {
    assert.deepEqual(await call(host), [403, 'AccessDeniedException', { Message: null }]);
  }
  for (const bad of ['1', '%24LATEST']) {
    const answer = await lk.api('POST', at('fn', `?Qualifier=${bad}`), { AuthType: 'NONE' });
    assert.deepEqual([answer.status, answer.headers['x-amzn-errortype']], [400, 'ValidationException']);
  }
});

/* ---- asynchronous invocation settings ---- */

test('event invoke configurations', async () => {
  const at = (name, query = '') => `/2019-09-25/functions/${name}/event-invoke-config${query}`;
  const none = (name) => `The function ${name} doesn't have an EventInvokeConfig`;
  fails(await lk.api('GET', at('fn')), 404, 'ResourceNotFoundException', none(arn('fn', '$LATEST')));
  fails(await lk.api('GET', at('nobody', '?Qualifier=x')), 404, 'ResourceNotFoundException', none(arn('nobody', 'x')));
  fails(await lk.api('PUT', at('nobody'), {}), 400, 'InvalidParameterValueException', 'You must specify at least one of error handling or destination setting.');
  fails(await lk.api('PUT', at('nobody'), { MaximumRetryAttempts: 1 }), 404, 'ResourceNotFoundException', 'The function doesn\'t exist.');
  const put = (await lk.api('PUT', at('fn'), { MaximumRetryAttempts: 1 })).json;
  assert.deepEqual({ ...put, LastModified: 0 }, { LastModified: 0, FunctionArn: arn('fn', '$LATEST'), MaximumRetryAttempts: 1, DestinationConfig: { OnSuccess: {}, OnFailure: {} } });
  assert.equal(typeof put.LastModified, 'number');
  const merged = (await lk.api('POST', at('fn'), { MaximumEventAgeInSeconds: 60, DestinationConfig: { OnFailure: { Destination: arn('other') } } })).json;
  assert.deepEqual([merged.MaximumRetryAttempts, merged.MaximumEventAgeInSeconds, merged.DestinationConfig], [1, 60, { OnSuccess: {}, OnFailure: { Destination: arn('other') } }]);
  const replaced = (await lk.api('PUT', at('fn'), { MaximumEventAgeInSeconds: 61 })).json;
  assert.deepEqual([replaced.MaximumRetryAttempts, replaced.DestinationConfig], [undefined, { OnSuccess: {}, OnFailure: {} }]);
  await lk.api('PUT', at('fn', '?Qualifier=live'), { MaximumRetryAttempts: 0 });
  const list = async (query) => (await lk.api('GET', `/2019-09-25/functions/fn/event-invoke-config/list${query}`)).json;
  assert.deepEqual((await list('')).FunctionEventInvokeConfigs.map((c) => c.FunctionArn), [arn('fn', '$LATEST'), arn('fn', 'live')]);
  const first = await list('?MaxItems=1');
  assert.deepEqual((await list(`?Marker=${q(first.NextMarker)}`)).FunctionEventInvokeConfigs.map((c) => c.FunctionArn), [arn('fn', 'live')]);
  const to = (destination) => lk.api('PUT', at('fn'), { DestinationConfig: { OnSuccess: { Destination: destination } } });
  fails(await to(arn('nobody')), 400, 'InvalidParameterValueException', `The destination ARN ${arn('nobody')} is invalid.`);
  fails(await to(arn('fn')), 400, 'InvalidParameterValueException', 'You can\'t specify the function as a destination for itself.');
  const odd = `arn:aws:iam:${REGION}:${ACCOUNT}:x`;
  fails(await to(odd), 400, 'InvalidParameterValueException',
    `The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=${odd}), onFailure=null) is invalid.`);
  assert.equal((await to(`arn:aws:sqs:${REGION}:${ACCOUNT}:queue`)).status, 200);
  assert.equal((await lk.api('DELETE', at('fn'))).status, 204);
  fails(await lk.api('DELETE', at('fn')), 404, 'ResourceNotFoundException', none(arn('fn', '$LATEST')));
});

/* ---- small settings ---- */

test('recursion, runtime management, scaling', async () => {
  assert.deepEqual((await lk.api('GET', '/2024-08-31/functions/fn/recursion-config')).json, { RecursiveLoop: 'Terminate' });
  assert.deepEqual((await lk.api('PUT', '/2024-08-31/functions/fn/recursion-config', { RecursiveLoop: 'Allow' })).json, { RecursiveLoop: 'Allow' });
  assert.deepEqual((await lk.api('GET', '/2024-08-31/functions/fn/recursion-config')).json, { RecursiveLoop: 'Allow' });
  const at = '/2021-07-20/functions/fn/runtime-management-config';
  assert.deepEqual((await lk.api('GET', at)).json, { UpdateRuntimeOn: 'Auto', FunctionArn: arn('fn') });
  assert.deepEqual((await lk.api('PUT', `${at}?Qualifier=1`, { UpdateRuntimeOn: 'FunctionUpdate' })).json, { UpdateRuntimeOn: 'FunctionUpdate', FunctionArn: arn('fn', 1) });
  assert.equal((await lk.api('GET', `${at}?Qualifier=1`)).json.UpdateRuntimeOn, 'FunctionUpdate');
  assert.equal((await lk.api('PUT', at, { UpdateRuntimeOn: 'Manual' })).status, 400);
  assert.equal((await lk.api('PUT', at, { UpdateRuntimeOn: 'FunctionUpdate' })).status, 200);
  assert.deepEqual((await lk.api('GET', `${at}?Qualifier=%24LATEST`)).json, { UpdateRuntimeOn: 'FunctionUpdate', FunctionArn: arn('fn', '$LATEST') });
  const scaling = '/2025-11-30/functions/fn/function-scaling-config?Qualifier=1';
  assert.equal((await lk.api('PUT', scaling, { FunctionScalingConfig: { MinExecutionEnvironments: 1, MaxExecutionEnvironments: 3 } })).status, 202);
  assert.deepEqual((await lk.api('GET', scaling)).json.RequestedFunctionScalingConfig, { MinExecutionEnvironments: 1, MaxExecutionEnvironments: 3 });
});

/* ---- code signing ---- */

test('code signing configurations', async () => {
  const at = '/2020-04-22/code-signing-configs';
  const profile = 'arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/abcdefghij';
  const made = await lk.api('POST', at, { AllowedPublishers: { SigningProfileVersionArns: [profile] }, Tags: { a: 'b' } });
  assert.equal(made.status, 201, made.text);
  const config = made.json.CodeSigningConfig;
  assert.match(config.CodeSigningConfigId, /^csc-[a-z0-9]{17}$/);
  assert.deepEqual([config.CodeSigningPolicies, config.Description], [{ UntrustedArtifactOnDeployment: 'Warn' }, '']);
  assert.deepEqual((await lk.api('GET', tags(config.CodeSigningConfigArn))).json, { Tags: { a: 'b' } });
  const one = `${at}/${q(config.CodeSigningConfigArn)}`;
  assert.equal((await lk.api('PUT', one, { Description: 'd' })).json.CodeSigningConfig.Description, 'd');
  assert.equal((await lk.api('GET', one)).json.CodeSigningConfig.Description, 'd');
  assert.equal((await lk.api('GET', at)).json.CodeSigningConfigs.length, 1);
  const unknown = config.CodeSigningConfigArn.replace(/.$/, (c) => (c === '0' ? '1' : '0'));
  fails(await lk.api('GET', `${at}/${q(unknown)}`), 404, 'ResourceNotFoundException', `The Lambda code signing configuration ${unknown} can not be found.`);
  const of = (name) => `/2020-06-30/functions/${name}/code-signing-config`;
  assert.deepEqual((await lk.api('GET', of('fn'))).json, {});
  const missing = await lk.api('PUT', of('nobody'), { CodeSigningConfigArn: unknown });
  fails(missing, 404, 'CodeSigningConfigNotFoundException', `The code signing configuration cannot be found. Check that the provided configuration is not deleted: ${unknown}.`);
  fails(await lk.api('PUT', of('nobody'), { CodeSigningConfigArn: config.CodeSigningConfigArn }), 404, 'ResourceNotFoundException', `Function not found: ${arn('nobody')}`);
  assert.deepEqual((await lk.api('PUT', of('fn'), { CodeSigningConfigArn: config.CodeSigningConfigArn })).json, { CodeSigningConfigArn: config.CodeSigningConfigArn, FunctionName: 'fn' });
  assert.deepEqual((await lk.api('GET', of('fn'))).json, { CodeSigningConfigArn: config.CodeSigningConfigArn, FunctionName: 'fn' });
  assert.deepEqual((await lk.api('GET', `${one}/functions`)).json, { FunctionArns: [arn('fn')] });
  assert.equal((await lk.api('DELETE', one)).status, 409);
  assert.equal((await lk.api('DELETE', of('fn'))).status, 204);
  assert.equal((await lk.api('DELETE', of('fn'))).status, 204);
  assert.equal((await lk.api('DELETE', one)).status, 204);
  fails(await lk.api('DELETE', one), 404, 'ResourceNotFoundException', `The Lambda code signing configuration ${config.CodeSigningConfigArn} can not be found.`);
  /* Who wants unsigned code refused hears that nobody looks. */
  const strict = await lk.api('POST', at, { AllowedPublishers: config.AllowedPublishers, CodeSigningPolicies: { UntrustedArtifactOnDeployment: 'Enforce' } });
  const CodeSigningConfigArn = strict.json.CodeSigningConfig.CodeSigningConfigArn;
  for (const answer of [strict, await lk.api('PUT', of('fn'), { CodeSigningConfigArn })]) assert.match(answer.headers['x-lambkin-warning'], /checks no signatures/);
  await lk.api('DELETE', of('fn'));
  assert.equal((await lk.api('DELETE', `${at}/${q(CodeSigningConfigArn)}`)).status, 204);
});

/* ---- layers ---- */

const layerArn = (name, version) => `arn:aws:lambda:${REGION}:${ACCOUNT}:layer:${name}${version ? `:${version}` : ''}`;
const publish = (name, body = {}) => lk.api('POST', `/2018-10-31/layers/${name}/versions`,
  { Content: { ZipFile: zip({ 'python/mod.py': 'X = 1\n' }).toString('base64') }, ...body });

test('layers: publish, get, list, delete', async () => {
  const made = await publish('lay');
  assert.equal(made.status, 201, made.text);
  const { Content: content, CreatedDate: date, ...rest } = made.json;
  assert.deepEqual(rest, { LayerArn: layerArn('lay'), LayerVersionArn: layerArn('lay', 1), Description: '', Version: 1 });
  assert.deepEqual(Object.keys(content).sort(), ['CodeSha256', 'CodeSize', 'Location']);
  assert.match(date, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/);
  assert.equal((await fetch(content.Location)).status, 200);
  const two = (await publish('lay', { Description: 'd', LicenseInfo: 'MIT', CompatibleRuntimes: ['python3.11'], CompatibleArchitectures: [] })).json;
  assert.deepEqual([two.Version, two.Description, two.LicenseInfo, two.CompatibleRuntimes, two.CompatibleArchitectures], [2, 'd', 'MIT', ['python3.11'], []]);
  const get = (name, n) => lk.api('GET', `/2018-10-31/layers/${name}/versions/${n}`);
  assert.deepEqual({ ...(await get('lay', 2)).json, Content: 0 }, { ...two, Content: 0 });
  assert.equal((await get(q(layerArn('lay')), 1)).json.Version, 1);
  assert.equal((await lk.api('GET', `/2018-10-31/layers?find=LayerVersion&Arn=${q(layerArn('lay', 2))}`)).json.Version, 2);
  fails(await get('lay', 0), 400, 'InvalidParameterValueException', 'Layer Version Cannot be less than 1');
  fails(await get('lay', 9), 404, 'ResourceNotFoundException', gone);
  const versions = (await lk.api('GET', '/2018-10-31/layers/lay/versions')).json.LayerVersions;
  assert.deepEqual(versions.map((v) => [v.Version, v.Content, v.LayerArn]), [[2, undefined, undefined], [1, undefined, undefined]]);
  assert.deepEqual((await lk.api('GET', '/2018-10-31/layers/nobody/versions')).json, { LayerVersions: [] });
  assert.deepEqual((await lk.api('GET', '/2018-10-31/layers/lay/versions?CompatibleRuntime=python3.11')).json.LayerVersions.map((v) => v.Version), [2]);
  await publish('another');
  const layers = (await lk.api('GET', '/2018-10-31/layers')).json.Layers;
  assert.deepEqual(layers.map((l) => [l.LayerName, l.LayerArn, l.LatestMatchingVersion.Version]), [['another', layerArn('another'), 1], ['lay', layerArn('lay'), 2]]);
  const page = (await lk.api('GET', '/2018-10-31/layers?MaxItems=1')).json;
  assert.deepEqual((await lk.api('GET', `/2018-10-31/layers?Marker=${q(page.NextMarker)}`)).json.Layers.map((l) => l.LayerName), ['lay']);
  for (const n of [1, 2, 2]) assert.equal((await lk.api('DELETE', `/2018-10-31/layers/lay/versions/${n}`)).status, 204);
  assert.equal((await publish('lay')).json.Version, 3, 'numbers go on');
  const bad = await publish('lay', { CompatibleRuntimes: ['nope'], CompatibleArchitectures: ['x'] });
  assert.match(bad.json.message, /^2 validation errors detected: Value '\[nope\]' at 'compatibleRuntimes' failed to satisfy constraint: Member must satisfy enum value set: \[nodejs20.x, /);
  assert.match(bad.json.message, /at 'compatibleArchitectures' failed to satisfy constraint: Member must satisfy constraint: \[Member must satisfy enum value set: \[x86_64, arm64\]\]$/);
});

test('layers of functions: merged under /opt in order, kept when the layer is deleted', async () => {
  const version = async (name, files) => (await publish(name, { Content: { ZipFile: zip(files).toString('base64') } })).json.LayerVersionArn;
  const one = await version('l1', { 'python/who.py': 'X = "l1"\n', 'a.txt': '1', 'python/only.py': 'Y = 1\n' });
  const two = await version('l2', { 'python/who.py': 'X = "l2"\n', 'b.txt': '2' });
  const same = await version('l3', { 'python/who.py': 'X = "l2"\n', 'b.txt': '2' });
  const app = { 'app.py': 'import os\ndef handler(e, c):\n    import who\n    return [who.X, sorted(os.listdir("/opt")), os.access("/opt/a.txt", os.W_OK)]\n' };
  await lk.create('layered', app, { Layers: [one, two] });
  const shown = (await lk.api('GET', '/2015-03-31/functions/layered/configuration')).json.Layers;
  assert.deepEqual(shown.map((l) => [l.Arn, typeof l.CodeSize]), [[one, 'number'], [two, 'number']]);
  assert.deepEqual(await lk.call('layered', {}), ['l2', ['a.txt', 'b.txt', 'python'], false]);
  await lk.configure('layered', { Layers: [two, one] });
  assert.equal((await lk.call('layered', {}))[0], 'l1');
  await lk.configure('layered', { Layers: [two, one, same] });
  assert.equal((await lk.call('layered', {}))[0], 'l2', 'equal contents twice');
  await lk.api('POST', '/2015-03-31/functions/layered/versions', {});
  await lk.configure('layered', { Layers: [] });
  assert.equal((await lk.api('GET', '/2015-03-31/functions/layered/configuration')).json.Layers, undefined);
  assert.equal((await lk.invoke('layered', {})).json.errorType, 'ModuleNotFoundError');
  for (const name of ['l1', 'l2', 'l3']) await lk.api('DELETE', `/2018-10-31/layers/${name}/versions/1`);
  await lk.stop({ keep: true });
  await lk.begin();
  assert.deepEqual(await lk.call('layered:1', {}), ['l2', ['a.txt', 'b.txt', 'python'], false]);
  const wrong = (Layers) => lk.api('PUT', '/2015-03-31/functions/layered/configuration', { Layers });
  fails(await wrong([one]), 400, 'InvalidParameterValueException', `Layer version ${one} does not exist.`);
  const again = [await version('l4', { x: '1' }), await version('l4', { x: '2' })];
  fails(await wrong(again), 400, 'InvalidParameterValueException', 'Two different versions of the same layer are not allowed to be referenced in the same '
    + `function. ${again[0]} and ${again[1]} are versions of the same layer.`);
  fails(await wrong(Array(6).fill(again[0])), 400, 'InvalidParameterValueException', 'Cannot reference more than 5 layers.');
  fails(await wrong([again[0].replace('us-east-1', 'eu-west-1')]), 400, 'InvalidParameterValueException',
    'Layers are not in the same region as the function. Layers are expected to be in region us-east-1.');
});

test('layers of functions: unpacked, all of it stays below 250 MB', async () => {
  const version = async (name, mb) => (await publish(name, { Content: { ZipFile: zip({ [`${name}.bin`]: Buffer.alloc(mb << 20) }).toString('base64') } })).json.LayerVersionArn;
  const [big, large, small] = [await version('big', 200), await version('large', 100), await version('small', 30)];
  const code = zip({ ...ECHO, 'more.bin': Buffer.alloc(100 << 20) });
  const actual = (mb) => `Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The actual size is ${mb} bytes.`;
  const size = Buffer.byteLength(ECHO['app.py']);
  const made = await lk.api('POST', '/2015-03-31/functions', { FunctionName: 'heavy', Runtime: 'python3.11', Handler: 'app.handler',
    Role: `arn:aws:iam::${ACCOUNT}:role/r`, Layers: [big], Code: { ZipFile: code.toString('base64') } });
  fails(made, 400, 'InvalidParameterValueException', actual((300 << 20) + size));
  assert.equal((await lk.api('GET', '/2015-03-31/functions/heavy')).status, 404);
  await lk.create('heavy', ECHO, { Layers: [big, small] });
  fails(await lk.api('PUT', '/2015-03-31/functions/heavy/code', { ZipFile: code.toString('base64') }), 400, 'InvalidParameterValueException',
    actual((330 << 20) + size));
  fails(await lk.api('PUT', '/2015-03-31/functions/heavy/configuration', { Layers: [big, large] }), 400, 'InvalidParameterValueException',
    'Layers consume more than the available size of 262144000 bytes');
  await lk.configure('heavy', { Layers: [large, small] });
  assert.deepEqual(await lk.call('heavy', 7), 7);
});

test('configuration that lambkin keeps: VPC, dead letters, KMS key, file systems, code signing', async () => {
  const VpcConfig = { SubnetIds: ['subnet-1'], SecurityGroupIds: ['sg-1'] };
  const KMSKeyArn = 'arn:aws:kms:us-east-1:000000000000:key/1';
  const queue = `arn:aws:sqs:us-east-1:${ACCOUNT}:q`;
  const signing = (await lk.api('POST', '/2020-04-22/code-signing-configs',
    { AllowedPublishers: { SigningProfileVersionArns: ['arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/abcdefghij'] } })).json.CodeSigningConfig.CodeSigningConfigArn;
  await lk.create('full', ECHO, { VpcConfig, KMSKeyArn, DeadLetterConfig: { TargetArn: queue }, CodeSigningConfigArn: signing });
  const read = async () => (await lk.api('GET', '/2015-03-31/functions/full/configuration')).json;
  const one = await read();
  assert.match(one.VpcConfig.VpcId, /^vpc-[0-9a-f]{17}$/);
  assert.deepEqual([one.VpcConfig.SubnetIds, one.VpcConfig.SecurityGroupIds, one.VpcConfig.Ipv6AllowedForDualStack], [['subnet-1'], ['sg-1'], false]);
  assert.deepEqual([one.KMSKeyArn, one.DeadLetterConfig], [KMSKeyArn, { TargetArn: queue }]);
  assert.equal((await lk.api('GET', '/2020-06-30/functions/full/code-signing-config')).json.CodeSigningConfigArn, signing);
  const answer = await lk.api('PUT', '/2015-03-31/functions/full/configuration', { VpcConfig: { SubnetIds: [], SecurityGroupIds: [] }, KMSKeyArn: '', DeadLetterConfig: { TargetArn: '' } });
  assert.equal(answer.status, 200);
  await lk.settled('full');
  const two = await read();
  assert.deepEqual([two.VpcConfig, two.KMSKeyArn, two.DeadLetterConfig], [{ SubnetIds: [], SecurityGroupIds: [], VpcId: '', Ipv6AllowedForDualStack: false }, undefined, undefined]);
  const warned = await lk.api('PUT', '/2015-03-31/functions/full/configuration', { VpcConfig });
  assert.match(warned.headers['x-lambkin-warning'], /no network/);
  assert.equal((await lk.api('POST', '/2015-03-31/functions', { FunctionName: 'x', Runtime: 'python3.11', Handler: 'a.b', Role: `arn:aws:iam::${ACCOUNT}:role/r`,
    Code: { ZipFile: zip(ECHO).toString('base64') }, CodeSigningConfigArn: signing.replace(/.$/, (c) => (c === '0' ? '1' : '0')) })).headers['x-amzn-errortype'], 'CodeSigningConfigNotFoundException');
});

test('layers: permissions', async () => {
  await publish('shared');
  const at = '/2018-10-31/layers/shared/versions/1/policy';
  const allow1 = (body, n = 1) => lk.api('POST', `/2018-10-31/layers/shared/versions/${n}/policy`, { StatementId: 's', Action: 'lambda:GetLayerVersion', Principal: '*', ...body });
  fails(await lk.api('GET', at), 404, 'ResourceNotFoundException', 'No policy is associated with the given resource.');
  fails(await allow1({}, 7), 404, 'ResourceNotFoundException', `Layer version ${layerArn('shared', 7)} does not exist.`);
  assert.equal((await allow1({ Action: 'lambda:Invoke' })).headers['x-amzn-errortype'], 'ValidationException');
  const made = await allow1({});
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(JSON.parse(made.json.Statement), { Sid: 's', Effect: 'Allow', Principal: '*', Action: 'lambda:GetLayerVersion', Resource: layerArn('shared', 1) });
  const read = (await lk.api('GET', at)).json;
  assert.equal(read.RevisionId, made.json.RevisionId);
  fails(await allow1({}), 409, 'ResourceConflictException', 'The statement id (s) provided already exists. Please provide a new statement id, or remove the existing statement.');
  fails(await lk.api('DELETE', `${at}/s?RevisionId=x`), 412, 'PreconditionFailedException',
    'The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest Revision Id');
  fails(await lk.api('DELETE', `${at}/none`), 404, 'ResourceNotFoundException', 'Statement none is not found in resource policy.');
  fails(await lk.api('POST', `${at}?RevisionId=x`, { StatementId: 'more', Action: 'lambda:GetLayerVersion', Principal: '*' }), 412, 'PreconditionFailedException',
    'The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest Revision Id');
  await publish('shared');
  const many = await Promise.all(Array.from({ length: 110 }, (_, i) => allow1({ StatementId: `${'x'.repeat(90)}${i}` }, 2)));
  assert.deepEqual(new Set(many.map((a) => a.headers['x-amzn-errortype'])), new Set([undefined, 'PolicyLengthExceededException']));
  assert.equal(JSON.parse((await lk.api('GET', at.replace('/1/', '/2/'))).json.Policy).Statement.length, many.filter((a) => a.status === 201).length);
  assert.equal((await lk.api('DELETE', `${at}/s`)).status, 204);
  fails(await lk.api('GET', at), 404, 'ResourceNotFoundException', 'No policy is associated with the given resource.');
});

test('layers of another account are not ours to change', async () => {
  const theirs = `arn:aws:lambda:${REGION}:111111111111:layer:theirs`;
  const as = { Authorization: lk.authorization('111111111111') };
  const Content = { ZipFile: zip({ a: '1' }).toString('base64') };
  assert.equal((await lk.api('POST', '/2018-10-31/layers/theirs/versions', { Content }, as)).status, 201);
  const statement = { StatementId: 's', Action: 'lambda:GetLayerVersion', Principal: '*' };
  for (const [operation, on, method, path, body] of [
    ['PublishLayerVersion', theirs, 'POST', '/versions', { Content }],
    ['DeleteLayerVersion', `${theirs}:1`, 'DELETE', '/versions/1'],
    ['ListLayerVersions', theirs, 'GET', '/versions'],
    ['AddLayerVersionPermission', `${theirs}:1`, 'POST', '/versions/1/policy', statement],
    ['GetLayerVersionPolicy', `${theirs}:1`, 'GET', '/versions/1/policy'],
    ['RemoveLayerVersionPermission', `${theirs}:1`, 'DELETE', '/versions/1/policy/s'],
  ])
    fails(await lk.api(method, `/2018-10-31/layers/${q(theirs)}${path}`, body), 403, 'AccessDeniedException',
      `User: arn:aws:iam::${ACCOUNT}:root is not authorized to perform: lambda:${operation} on resource: ${on} because no resource-based policy allows the lambda:${operation} action`);
  const { LayerVersions } = (await lk.api('GET', '/2018-10-31/layers/theirs/versions', undefined, as)).json;
  assert.deepEqual(LayerVersions.map((v) => v.Version), [1]);
});

test('all of it is there after a restart, and goes with the function', async () => {
  await lk.create('keep', ECHO);
  await lk.api('POST', tags(arn('keep')), { Tags: { a: 'b' } });
  await allow('keep', {});
  await lk.api('POST', '/2021-10-31/functions/keep/url', { AuthType: 'NONE' });
  await reserve('keep', 3);
  const read = async () => Promise.all(['/2015-03-31/functions/keep/policy', '/2021-10-31/functions/keep/url', '/2019-09-30/functions/keep/concurrency', tags(arn('keep')),
    '/2018-10-31/layers'].map(async (path) => (await lk.api('GET', path)).json));
  const before = await read();
  await lk.stop({ keep: true });
  await lk.begin();
  assert.deepEqual(await read(), before);
  assert.equal((await lk.api('DELETE', '/2015-03-31/functions/keep')).status, 204);
  await lk.create('keep', ECHO);
  fails(await lk.api('GET', '/2015-03-31/functions/keep/policy'), 404, 'ResourceNotFoundException', gone);
  fails(await lk.api('GET', '/2021-10-31/functions/keep/url'), 404, 'ResourceNotFoundException', gone);
  assert.deepEqual((await lk.api('GET', '/2019-09-30/functions/keep/concurrency')).json, {});
  assert.deepEqual((await lk.api('GET', tags(arn('keep')))).json, { Tags: {} });
});
