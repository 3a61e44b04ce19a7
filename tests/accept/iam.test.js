/* IAM: every operation that there is, by AWS's SDK, and each documented error that can be provoked. */
'use strict';
const assert = require('node:assert/strict');
const { test, before, after } = require('node:test');
const iam = require('@aws-sdk/client-iam');
const { Lambkin, ACCOUNT, REGION } = require('./lib/lambkin');

const TRUST = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }] });
const policy = (action = 's3:GetObject') => JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: action, Resource: '*' }] });
const AWS_POLICY = (name) => `arn:aws:iam::aws:policy/service-role/${name}`;
const arn = (kind, name) => `arn:aws:iam::${ACCOUNT}:${kind}/${name}`;
let lk;
let client;

function clientOf(credentials = { accessKeyId: 'any', secretAccessKey: 'any' }) {
  return new iam.IAMClient({ endpoint: lk.endpoint, region: REGION, maxAttempts: 1, credentials });
}
before(async () => {
  lk = await Lambkin.start();
  client = clientOf();
});
after(async () => {
  client.destroy();
  await lk.stop();
});

const send = (name, input = {}, by = client) => by.send(new iam[`${name}Command`](input));

async function fails(promise, code, status, message) {
  const error = await promise.then(() => assert.fail(`expected ${code}: ${message}`), (e) => e);
  assert.deepEqual([error.name.replace(/Exception$/, ''), error.$metadata?.httpStatusCode, error.message], [code, status, message], error.stack);
  assert.match(error.$metadata.requestId, /^[0-9a-f-]{36}$/);
}
const noRole = (name) => ['NoSuchEntity', 404, `The role with name ${name} cannot be found.`];
const makeRole = (RoleName, more = {}) => send('CreateRole', { RoleName, AssumeRolePolicyDocument: TRUST, ...more });

async function pages(name, input, member) {
  const found = [];
  for (let Marker; ;) {
    const page = await send(name, { ...input, Marker, MaxItems: 2 });
    assert.ok(page[member].length <= 2);
    assert.equal(page.IsTruncated, page.Marker !== undefined);
    found.push(...page[member]);
    if (!page.IsTruncated) return found;
    Marker = page.Marker;
  }
}

test('roles: made, read, changed, listed, deleted', async () => {
  const { Role } = await makeRole('one', { Path: '/app/', Description: 'd', MaxSessionDuration: 7200, Tags: [{ Key: 'a', Value: 'é =/@' }] });
  assert.match(Role.RoleId, /^AROA[A-Z2-7]{17}$/);
  assert.equal(Role.Arn, arn('role', 'app/one'));
  assert.ok(Math.abs(Role.CreateDate - Date.now()) < 60000);
  const got = (await send('GetRole', { RoleName: 'one' })).Role;
  assert.deepEqual(got, { ...Role, RoleLastUsed: {} });
  assert.equal(decodeURIComponent(got.AssumeRolePolicyDocument), TRUST);
  assert.deepEqual([got.Description, got.MaxSessionDuration, got.Tags], ['d', 7200, [{ Key: 'a', Value: 'é =/@' }]]);

  await send('UpdateRole', { RoleName: 'one', Description: '', MaxSessionDuration: 3600 });
  assert.deepEqual([(await send('GetRole', { RoleName: 'one' })).Role.Description, (await send('GetRole', { RoleName: 'one' })).Role.MaxSessionDuration], ['', 3600]);
  assert.equal((await send('UpdateRoleDescription', { RoleName: 'one', Description: 'new' })).Role.Description, 'new');
  const other = TRUST.replace('lambda', 'ec2');
  await send('UpdateAssumeRolePolicy', { RoleName: 'one', PolicyDocument: other });
  assert.equal(decodeURIComponent((await send('GetRole', { RoleName: 'one' })).Role.AssumeRolePolicyDocument), other);
  await send('PutRolePermissionsBoundary', { RoleName: 'one', PermissionsBoundary: AWS_POLICY('AWSLambdaBasicExecutionRole') });
  assert.deepEqual((await send('GetRole', { RoleName: 'one' })).Role.PermissionsBoundary,
    { PermissionsBoundaryType: 'PermissionsBoundaryPolicy', PermissionsBoundaryArn: AWS_POLICY('AWSLambdaBasicExecutionRole') });
  assert.equal((await send('GetPolicy', { PolicyArn: AWS_POLICY('AWSLambdaBasicExecutionRole') })).Policy.PermissionsBoundaryUsageCount, 1);
  await send('DeleteRolePermissionsBoundary', { RoleName: 'one' });
  assert.equal((await send('GetRole', { RoleName: 'one' })).Role.PermissionsBoundary, undefined);
  assert.deepEqual((await send('ListInstanceProfilesForRole', { RoleName: 'one' })).InstanceProfiles, []);

  for (const name of ['b', 'A', 'c', 'D']) await makeRole(name, { Path: '/list/' });
  assert.deepEqual((await pages('ListRoles', { PathPrefix: '/list/' }, 'Roles')).map((r) => r.RoleName), ['A', 'b', 'c', 'D']);
  assert.deepEqual((await send('ListRoles', { PathPrefix: '/no/' })).Roles, []);
  await send('DeleteRole', { RoleName: 'one' });
  await fails(send('GetRole', { RoleName: 'one' }), ...noRole('one'));
});

test('roles: errors leave nothing behind', async () => {
  await makeRole('there');
  await fails(makeRole('there'), 'EntityAlreadyExists', 409, 'Role with name there already exists.');
  await fails(makeRole('THERE'), 'EntityAlreadyExists', 409, 'Role with name THERE already exists.');
  const inRole = { RoleName: 'none' };
  for (const [name, input] of [['GetRole'], ['DeleteRole'], ['UpdateRole'], ['UpdateRoleDescription', { Description: '' }], ['ListRolePolicies'],
    ['UpdateAssumeRolePolicy', { PolicyDocument: TRUST }], ['ListAttachedRolePolicies'], ['ListRoleTags'], ['TagRole', { Tags: [] }],
    ['UntagRole', { TagKeys: [] }], ['ListInstanceProfilesForRole'], ['GetRolePolicy', { PolicyName: 'p' }], ['DeleteRolePolicy', { PolicyName: 'p' }],
    ['PutRolePolicy', { PolicyName: 'p', PolicyDocument: policy() }], ['DeleteRolePermissionsBoundary'],
    ['AttachRolePolicy', { PolicyArn: AWS_POLICY('AWSLambdaRole') }], ['DetachRolePolicy', { PolicyArn: AWS_POLICY('AWSLambdaRole') }]]) {
    await fails(send(name, { ...inRole, ...input }), ...noRole('none'));
  }
  await fails(makeRole('a b'), 'ValidationError', 400,
    'The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-');
  await fails(makeRole("x'; DROP TABLE iam_roles; --"), 'ValidationError', 400,
    'The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-');
  await fails(makeRole('r'.repeat(65)), 'ValidationError', 400,
    `1 validation error detected: Value '${'r'.repeat(65)}' at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64`);
  await fails(makeRole('bad', { MaxSessionDuration: 60, Description: '\u0001' }), 'ValidationError', 400,
    "2 validation errors detected: Value '\u0001' at 'description' failed to satisfy constraint: Member must satisfy regular expression pattern: "
    + "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*; Value '60' at 'maxSessionDuration' failed to satisfy constraint: Member must have value "
    + 'greater than or equal to 3600').catch((e) => { if (!/�/.test(e.message)) throw e; }); /* XML cannot hold U+0001 */
  await fails(makeRole('bad', { Path: 'x' }), 'ValidationError', 400,
    'The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.');
  await fails(makeRole('bad', { PermissionsBoundary: arn('policy', 'none') }), 'NoSuchEntity', 404,
    `Scope ARN: ${arn('policy', 'none')} does not exist or is not attachable.`);
  await fails(makeRole('bad', { Tags: [{ Key: 'k', Value: '1' }, { Key: 'K', Value: '2' }] }), 'InvalidInput', 400,
    'Duplicate tag keys found. Please note that Tag keys are case insensitive.');
  await fails(makeRole('bad', { AssumeRolePolicyDocument: TRUST.replace('"sts:AssumeRole"', `"sts:AssumeRole","Condition":{"StringEquals":{"a":"${'x'.repeat(2048)}"}}`) }),
    'LimitExceeded', 409, 'Cannot exceed quota for ACLSizePerRole: 2048');
  for (const [document, message] of [
    ['{', 'This policy contains invalid Json'], ['[]', 'Syntax errors in policy.'], ['{}', 'Syntax errors in policy.'],
    [TRUST.replace('Allow', 'allow'), 'Syntax errors in policy.'],
    [TRUST.replace('"Action"', '"Resource":"*","Action"'), 'Has prohibited field Resource'],
    [TRUST.replace('sts:AssumeRole', 's3:*'), 'AssumeRole policy may only specify STS AssumeRole actions.'],
    [TRUST.replace('lambda.amazonaws.com', 'lambda'), 'Invalid principal in policy: "SERVICE":"lambda"'],
  ]) await fails(makeRole('bad', { AssumeRolePolicyDocument: document }), 'MalformedPolicyDocument', 400, message);
  await fails(send('GetRole', { RoleName: 'bad' }), ...noRole('bad'));
  await fails(send('ListRoles', { Marker: 'no marker' }), 'ValidationError', 400, 'Invalid Marker.');
  await fails(send('ListRoles', { MaxItems: 1001 }), 'ValidationError', 400,
    "1 validation error detected: Value '1001' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000");
});

test('inline policies of roles, users and groups', async () => {
  await makeRole('inl');
  await send('CreateUser', { UserName: 'inl' });
  await send('CreateGroup', { GroupName: 'inl' });
  for (const [Kind, limit] of [['Role', 10240], ['User', 2048], ['Group', 5120]]) {
    const owner = { [`${Kind}Name`]: 'inl' };
    for (const PolicyName of ['p3', 'p1', 'p2']) await send(`Put${Kind}Policy`, { ...owner, PolicyName, PolicyDocument: policy() });
    await send(`Put${Kind}Policy`, { ...owner, PolicyName: 'p2', PolicyDocument: ` ${policy('s3:*')}\n` });
    assert.deepEqual(await pages(`List${Kind}Policies`, owner, 'PolicyNames'), ['p1', 'p2', 'p3']);
    const { $metadata, ...got } = await send(`Get${Kind}Policy`, { ...owner, PolicyName: 'p2' });
    assert.deepEqual(got, { ...owner, PolicyName: 'p2', PolicyDocument: encodeURIComponent(` ${policy('s3:*')}\n`).replaceAll('*', '%2A') });
    await fails(send(`Delete${Kind}`, owner), 'DeleteConflict', 409, 'Cannot delete entity, must delete policies first.');
    const unknown = ['NoSuchEntity', 404, `The ${Kind.toLowerCase()} policy with name px cannot be found.`];
    await fails(send(`Get${Kind}Policy`, { ...owner, PolicyName: 'px' }), ...unknown);
    await fails(send(`Delete${Kind}Policy`, { ...owner, PolicyName: 'px' }), ...unknown);
    await fails(send(`Put${Kind}Policy`, { ...owner, PolicyName: 'px', PolicyDocument: policy(`s3:${'x'.repeat(limit)}`) }), 'LimitExceeded', 409,
      `Maximum policy size of ${limit} bytes exceeded for ${Kind.toLowerCase()} inl`);
    for (const [document, message] of [
      ['', undefined], ['no', 'This policy contains invalid Json'], [TRUST, 'Policy document should not specify a principal.'],
      [policy('everything'), 'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.'],
      [policy().replace('2012', '2008'), 'Policy document must be version 2012-10-17 or greater.'],
      [policy().replace(',"Resource":"*"', ''), 'Policy statement must contain resources.'],
      [policy().replace('"*"', '"bucket"'), 'Resource bucket must be in ARN format or "*".']]) {
      const put = send(`Put${Kind}Policy`, { ...owner, PolicyName: 'px', PolicyDocument: document });
      await (message ? fails(put, 'MalformedPolicyDocument', 400, message) : assert.rejects(put, { name: 'ValidationError' }));
    }
    for (const PolicyName of ['p1', 'p2', 'p3']) await send(`Delete${Kind}Policy`, { ...owner, PolicyName });
    assert.deepEqual((await send(`List${Kind}Policies`, owner)).PolicyNames, []);
    await send(`Delete${Kind}`, owner);
  }
});

test('managed policies: versions, the default, tags, limits', async () => {
  const { Policy } = await send('CreatePolicy', { PolicyName: 'mine', Path: '/p/', PolicyDocument: policy(), Description: 'about', Tags: [{ Key: 'k', Value: 'v' }] });
  const PolicyArn = arn('policy', 'p/mine');
  assert.match(Policy.PolicyId, /^ANPA[A-Z2-7]{17}$/);
  assert.deepEqual([Policy.Arn, Policy.DefaultVersionId, Policy.AttachmentCount, Policy.IsAttachable, Policy.Description], [PolicyArn, 'v1', 0, true, undefined]);
  assert.deepEqual((await send('GetPolicy', { PolicyArn })).Policy, { ...Policy, Description: 'about' });
  await fails(send('CreatePolicy', { PolicyName: 'Mine', PolicyDocument: policy() }), 'EntityAlreadyExists', 409,
    'A policy called Mine already exists. Duplicate names are not allowed.');
  await fails(send('CreatePolicy', { PolicyName: 'big', PolicyDocument: policy(`s3:${'x'.repeat(6144)}`) }), 'LimitExceeded', 409, 'Cannot exceed quota for PolicySize: 6144');
  await fails(send('CreatePolicy', { PolicyName: 'bad', PolicyDocument: TRUST }), 'MalformedPolicyDocument', 400, 'Policy document should not specify a principal.');

  const { PolicyVersion } = await send('CreatePolicyVersion', { PolicyArn, PolicyDocument: policy('s3:*'), SetAsDefault: true });
  assert.deepEqual([PolicyVersion.VersionId, PolicyVersion.IsDefaultVersion, PolicyVersion.Document], ['v2', true, undefined]);
  for (let i = 3; i <= 5; i++) assert.equal((await send('CreatePolicyVersion', { PolicyArn, PolicyDocument: policy() })).PolicyVersion.VersionId, `v${i}`);
  await fails(send('CreatePolicyVersion', { PolicyArn, PolicyDocument: policy() }), 'LimitExceeded', 409,
    'A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.');
  assert.deepEqual((await pages('ListPolicyVersions', { PolicyArn }, 'Versions')).map((v) => [v.VersionId, v.IsDefaultVersion]),
    [['v5', false], ['v4', false], ['v3', false], ['v2', true], ['v1', false]]);
  const v2 = (await send('GetPolicyVersion', { PolicyArn, VersionId: 'v2' })).PolicyVersion;
  assert.equal(decodeURIComponent(v2.Document), policy('s3:*'));
  await fails(send('DeletePolicyVersion', { PolicyArn, VersionId: 'v2' }), 'DeleteConflict', 409, 'Cannot delete the default version of a policy.');
  await fails(send('DeletePolicy', { PolicyArn }), 'DeleteConflict', 409,
    "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.");
  await fails(send('GetPolicyVersion', { PolicyArn, VersionId: 'v9' }), 'NoSuchEntity', 404, `Policy ${PolicyArn} version v9 does not exist or is not attachable.`);
  await send('SetDefaultPolicyVersion', { PolicyArn, VersionId: 'v1' });
  assert.equal((await send('GetPolicy', { PolicyArn })).Policy.DefaultVersionId, 'v1');
  for (const VersionId of ['v2', 'v3', 'v4', 'v5']) await send('DeletePolicyVersion', { PolicyArn, VersionId });
  assert.equal((await send('CreatePolicyVersion', { PolicyArn, PolicyDocument: policy() })).PolicyVersion.VersionId, 'v6');
  await send('DeletePolicyVersion', { PolicyArn, VersionId: 'v6' });

  await send('TagPolicy', { PolicyArn, Tags: [{ Key: 'K', Value: 'new' }, { Key: 'l', Value: '' }] });
  assert.deepEqual((await pages('ListPolicyTags', { PolicyArn }, 'Tags')), [{ Key: 'K', Value: 'new' }, { Key: 'l', Value: '' }]);
  await send('UntagPolicy', { PolicyArn, TagKeys: ['k', 'none'] });
  assert.deepEqual((await send('ListPolicyTags', { PolicyArn })).Tags, [{ Key: 'l', Value: '' }]);

  const none = arn('policy', 'none');
  for (const [name, input] of [['GetPolicy'], ['DeletePolicy'], ['ListPolicyVersions'], ['ListPolicyTags'], ['ListEntitiesForPolicy'],
    ['CreatePolicyVersion', { PolicyDocument: policy() }], ['DeletePolicyVersion', { VersionId: 'v1' }], ['SetDefaultPolicyVersion', { VersionId: 'v1' }],
    ['TagPolicy', { Tags: [] }], ['UntagPolicy', { TagKeys: [] }]]) {
    await fails(send(name, { PolicyArn: none, ...input }), 'NoSuchEntity', 404, `Policy ${none} was not found.`);
    await fails(send(name, { PolicyArn: 'not-the-arn-of-anything', ...input }), 'InvalidInput', 400, 'ARN not-the-arn-of-anything is not valid.');
  }
  await send('DeletePolicy', { PolicyArn });
  await fails(send('GetPolicy', { PolicyArn }), 'NoSuchEntity', 404, `Policy ${PolicyArn} was not found.`);
});

test("AWS's own policies are there, and nobody's to change", async () => {
  const names = ['AWSLambdaBasicExecutionRole', 'AWSLambdaDynamoDBExecutionRole', 'AWSLambdaKinesisExecutionRole', 'AWSLambdaSQSQueueExecutionRole',
    'AWSLambdaVPCAccessExecutionRole'];
  const { Policies } = await send('ListPolicies', { Scope: 'AWS', PathPrefix: '/service-role/' });
  for (const name of names) {
    const listed = Policies.find((p) => p.PolicyName === name);
    const { Policy } = await send('GetPolicy', { PolicyArn: AWS_POLICY(name) });
    assert.deepEqual([listed.Arn, Policy.Arn, Policy.Path, Policy.IsAttachable], [AWS_POLICY(name), AWS_POLICY(name), '/service-role/', true]);
    const { PolicyVersion } = await send('GetPolicyVersion', { PolicyArn: AWS_POLICY(name), VersionId: Policy.DefaultVersionId });
    const document = JSON.parse(decodeURIComponent(PolicyVersion.Document));
    assert.ok(document.Statement[0].Action.includes('logs:PutLogEvents'), name);
    assert.equal(document.Statement[0].Resource, '*');
  }
  const basic = (await send('GetPolicy', { PolicyArn: AWS_POLICY(names[0]) })).Policy;
  assert.deepEqual([basic.CreateDate.toISOString(), basic.DefaultVersionId], ['2015-04-09T15:03:43.000Z', 'v1']);
  const outside = ['AccessDenied', 403, 'Policy is outside your own account.'];
  await fails(send('DeletePolicy', { PolicyArn: AWS_POLICY(names[0]) }), ...outside);
  await fails(send('CreatePolicyVersion', { PolicyArn: AWS_POLICY(names[0]), PolicyDocument: policy() }), ...outside);
  await fails(send('TagPolicy', { PolicyArn: AWS_POLICY(names[0]), Tags: [{ Key: 'a', Value: 'b' }] }), ...outside);
});

test('attaching: counted from both sides', async () => {
  await makeRole('att');
  await send('CreateUser', { UserName: 'att' });
  await send('CreateGroup', { GroupName: 'att' });
  const PolicyArn = (await send('CreatePolicy', { PolicyName: 'att', PolicyDocument: policy() })).Policy.Arn;
  for (const Kind of ['Role', 'User', 'Group']) {
    const owner = { [`${Kind}Name`]: 'att' };
    await send(`Attach${Kind}Policy`, { ...owner, PolicyArn });
    await send(`Attach${Kind}Policy`, { ...owner, PolicyArn });
    await send(`Attach${Kind}Policy`, { ...owner, PolicyArn: AWS_POLICY('AWSLambdaRole') });
    await send(`Attach${Kind}Policy`, { ...owner, PolicyArn: AWS_POLICY('AWSLambdaSQSQueueExecutionRole') });
    assert.deepEqual((await pages(`ListAttached${Kind}Policies`, owner, 'AttachedPolicies')).map((p) => p.PolicyName),
      ['att', 'AWSLambdaRole', 'AWSLambdaSQSQueueExecutionRole']);
    assert.deepEqual((await send(`ListAttached${Kind}Policies`, { ...owner, PathPrefix: '/service-role/' })).AttachedPolicies.map((p) => p.PolicyArn),
      ['AWSLambdaRole', 'AWSLambdaSQSQueueExecutionRole'].map(AWS_POLICY));
    await fails(send(`Delete${Kind}`, owner), 'DeleteConflict', 409, 'Cannot delete entity, must detach all policies first.');
    await fails(send(`Attach${Kind}Policy`, { ...owner, PolicyArn: arn('policy', 'none') }), 'NoSuchEntity', 404,
      `Policy ${arn('policy', 'none')} does not exist or is not attachable.`);
    await fails(send(`Attach${Kind}Policy`, { ...owner, PolicyArn: 'not-the-arn-of-anything' }), 'InvalidInput', 400, 'ARN not-the-arn-of-anything is not valid.');
    await fails(send(`Detach${Kind}Policy`, { ...owner, PolicyArn: arn('policy', 'none') }), 'NoSuchEntity', 404, `Policy ${arn('policy', 'none')} was not found.`);
  }
  assert.equal((await send('GetPolicy', { PolicyArn })).Policy.AttachmentCount, 3);
  const entities = await send('ListEntitiesForPolicy', { PolicyArn });
  assert.deepEqual([entities.PolicyRoles[0].RoleName, entities.PolicyUsers[0].UserName, entities.PolicyGroups[0].GroupName], ['att', 'att', 'att']);
  assert.deepEqual((await send('ListEntitiesForPolicy', { PolicyArn, EntityFilter: 'User' })).PolicyRoles, []);
  assert.deepEqual((await send('ListPolicies', { Scope: 'Local', OnlyAttached: true })).Policies.map((p) => [p.PolicyName, p.AttachmentCount]), [['att', 3]]);
  await fails(send('DeletePolicy', { PolicyArn }), 'DeleteConflict', 409, 'Cannot delete a policy attached to entities.');
  for (let i = 0; i < 7; i++) {
    const made = (await send('CreatePolicy', { PolicyName: `att${i}`, PolicyDocument: policy() })).Policy.Arn;
    await send('AttachRolePolicy', { RoleName: 'att', PolicyArn: made });
  }
  await fails(send('AttachRolePolicy', { RoleName: 'att', PolicyArn: AWS_POLICY('AWSLambdaBasicExecutionRole') }), 'LimitExceeded', 409,
    'Cannot exceed quota for PoliciesPerRole: 10');
  for (const Kind of ['Role', 'User', 'Group']) await send(`Detach${Kind}Policy`, { [`${Kind}Name`]: 'att', PolicyArn });
  await fails(send('DetachRolePolicy', { RoleName: 'att', PolicyArn }), 'NoSuchEntity', 404, `Policy ${PolicyArn} was not found.`);
  await send('DeletePolicy', { PolicyArn });
});

test('users and their keys', async () => {
  const { User } = await send('CreateUser', { UserName: 'Ann', Path: '/people/', Tags: [{ Key: 'a', Value: 'b' }] });
  assert.match(User.UserId, /^AIDA[A-Z2-7]{17}$/);
  assert.equal(User.Arn, arn('user', 'people/Ann'));
  assert.deepEqual((await send('GetUser', { UserName: 'Ann' })).User, User);
  await fails(send('CreateUser', { UserName: 'ann' }), 'EntityAlreadyExists', 409, 'User with name ann already exists.');
  await fails(send('GetUser', { UserName: 'nobody' }), 'NoSuchEntity', 404, 'The user with name nobody cannot be found.');
  await send('TagUser', { UserName: 'Ann', Tags: [{ Key: 'c', Value: 'd' }] });
  await send('UntagUser', { UserName: 'Ann', TagKeys: ['a'] });
  assert.deepEqual((await send('ListUserTags', { UserName: 'Ann' })).Tags, [{ Key: 'c', Value: 'd' }]);
  await send('PutUserPermissionsBoundary', { UserName: 'Ann', PermissionsBoundary: AWS_POLICY('AWSLambdaRole') });
  assert.equal((await send('GetUser', { UserName: 'Ann' })).User.PermissionsBoundary.PermissionsBoundaryArn, AWS_POLICY('AWSLambdaRole'));
  await send('DeleteUserPermissionsBoundary', { UserName: 'Ann' });

  const { AccessKey } = await send('CreateAccessKey', { UserName: 'Ann' });
  assert.match(AccessKey.AccessKeyId, /^AKIA[A-Z2-7]{16}$/);
  assert.match(AccessKey.SecretAccessKey, /^[A-Za-z0-9+/]{40}$/);
  const second = (await send('CreateAccessKey', { UserName: 'Ann' })).AccessKey;
  await fails(send('CreateAccessKey', { UserName: 'Ann' }), 'LimitExceeded', 409, 'Cannot exceed quota for AccessKeysPerUser: 2');
  await send('UpdateAccessKey', { UserName: 'Ann', AccessKeyId: second.AccessKeyId, Status: 'Inactive' });
  assert.deepEqual((await send('ListAccessKeys', { UserName: 'Ann' })).AccessKeyMetadata.map((k) => [k.AccessKeyId, k.Status]),
    [[AccessKey.AccessKeyId, 'Active'], [second.AccessKeyId, 'Inactive']]);
  assert.equal((await send('GetAccessKeyLastUsed', { AccessKeyId: AccessKey.AccessKeyId })).UserName, 'Ann');
  const noKey = ['NoSuchEntity', 404, 'The Access Key with id AKIAAAAAAAAAAAAAAAAA cannot be found.'];
  await fails(send('UpdateAccessKey', { UserName: 'Ann', AccessKeyId: 'AKIAAAAAAAAAAAAAAAAA', Status: 'Active' }), ...noKey);
  await fails(send('DeleteAccessKey', { UserName: 'Ann', AccessKeyId: 'AKIAAAAAAAAAAAAAAAAA' }), ...noKey);
  await fails(send('GetAccessKeyLastUsed', { AccessKeyId: 'AKIAAAAAAAAAAAAAAAAA' }), ...noKey);
  await fails(send('DeleteUser', { UserName: 'Ann' }), 'DeleteConflict', 409, 'Cannot delete entity, must delete access keys first.');

  /* who calls with the key is Ann */
  const ann = clientOf({ accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey });
  assert.equal((await send('GetUser', {}, ann)).User.UserName, 'Ann');
  assert.equal((await send('ListAccessKeys', {}, ann)).AccessKeyMetadata.length, 2);
  ann.destroy();
  assert.equal((await send('GetUser')).User.Arn, `arn:aws:iam::${ACCOUNT}:root`);
  await fails(send('CreateAccessKey'), 'ValidationError', 400, 'Must specify userName when calling with non-User credentials');

  await send('UpdateUser', { UserName: 'Ann', NewUserName: 'Bea', NewPath: '/' });
  assert.deepEqual((await send('GetUser', { UserName: 'Bea' })).User.Arn, arn('user', 'Bea'));
  assert.equal((await send('GetAccessKeyLastUsed', { AccessKeyId: AccessKey.AccessKeyId })).UserName, 'Bea');
  await fails(send('GetUser', { UserName: 'Ann' }), 'NoSuchEntity', 404, 'The user with name Ann cannot be found.');
  for (const { AccessKeyId } of [AccessKey, second]) await send('DeleteAccessKey', { UserName: 'Bea', AccessKeyId });
  assert.deepEqual((await send('ListAccessKeys', { UserName: 'Bea' })).AccessKeyMetadata, []);
  await send('DeleteUser', { UserName: 'Bea' });
  for (const n of [1, 2, 3]) await send('CreateUser', { UserName: `u${n}`, Path: '/list/' });
  assert.deepEqual((await pages('ListUsers', { PathPrefix: '/list/' }, 'Users')).map((u) => u.UserName), ['u1', 'u2', 'u3']);
});

test('groups and who is in them', async () => {
  const { Group } = await send('CreateGroup', { GroupName: 'Devs', Path: '/g/' });
  assert.match(Group.GroupId, /^AGPA[A-Z2-7]{17}$/);
  assert.equal(Group.Arn, arn('group', 'g/Devs'));
  await fails(send('CreateGroup', { GroupName: 'devs' }), 'EntityAlreadyExists', 409, 'Group with name devs already exists.');
  for (const UserName of ['m1', 'm2', 'm3']) {
    await send('CreateUser', { UserName });
    await send('AddUserToGroup', { GroupName: 'Devs', UserName });
  }
  await send('AddUserToGroup', { GroupName: 'Devs', UserName: 'm1' });
  assert.deepEqual((await pages('GetGroup', { GroupName: 'Devs' }, 'Users')).map((u) => u.UserName), ['m1', 'm2', 'm3']);
  assert.deepEqual((await send('ListGroupsForUser', { UserName: 'm2' })).Groups, [Group]);
  await fails(send('DeleteGroup', { GroupName: 'Devs' }), 'DeleteConflict', 409, 'Cannot delete entity, must remove users from group first.');
  await fails(send('DeleteUser', { UserName: 'm1' }), 'DeleteConflict', 409, 'Cannot delete entity, must remove users from group first.');
  await send('UpdateGroup', { GroupName: 'Devs', NewGroupName: 'Ops', NewPath: '/' });
  assert.deepEqual((await send('ListGroupsForUser', { UserName: 'm2' })).Groups.map((g) => g.Arn), [arn('group', 'Ops')]);
  await send('UpdateUser', { UserName: 'm1', NewUserName: 'm0' });
  assert.deepEqual((await send('GetGroup', { GroupName: 'Ops' })).Users.map((u) => u.UserName), ['m0', 'm2', 'm3']);
  for (const UserName of ['m0', 'm2', 'm3']) await send('RemoveUserFromGroup', { GroupName: 'Ops', UserName });
  await fails(send('RemoveUserFromGroup', { GroupName: 'Ops', UserName: 'm2' }), 'NoSuchEntity', 404, 'User m2 not in group Ops');
  const none = ['NoSuchEntity', 404, 'The group with name none cannot be found.'];
  await fails(send('GetGroup', { GroupName: 'none' }), ...none);
  await fails(send('DeleteGroup', { GroupName: 'none' }), ...none);
  await fails(send('AddUserToGroup', { GroupName: 'none', UserName: 'm2' }), ...none);
  await fails(send('AddUserToGroup', { GroupName: 'Ops', UserName: 'none' }), 'NoSuchEntity', 404, 'The user with name none cannot be found.');
  assert.deepEqual((await send('ListGroups', { PathPrefix: '/' })).Groups.map((g) => g.GroupName).filter((n) => n === 'Ops'), ['Ops']);
  await send('DeleteGroup', { GroupName: 'Ops' });
});

test('role tags: merged by key, paged, at most fifty', async () => {
  await makeRole('tagged');
  const tags = (n, from = 0) => Array.from({ length: n }, (_, i) => ({ Key: `key${from + i}`, Value: `${i}` }));
  await send('TagRole', { RoleName: 'tagged', Tags: tags(50) });
  await fails(send('TagRole', { RoleName: 'tagged', Tags: tags(1, 50) }), 'LimitExceeded', 409, 'The number of tags has reached the maximum limit.');
  await send('TagRole', { RoleName: 'tagged', Tags: [{ Key: 'KEY0', Value: 'again' }] });
  assert.deepEqual((await pages('ListRoleTags', { RoleName: 'tagged' }, 'Tags')), [{ Key: 'KEY0', Value: 'again' }, ...tags(50).slice(1)]);
  await send('UntagRole', { RoleName: 'tagged', TagKeys: tags(50).map((t) => t.Key) });
  assert.deepEqual((await send('ListRoleTags', { RoleName: 'tagged' })).Tags, []);
  await fails(send('TagRole', { RoleName: 'tagged', Tags: [{ Key: 'aws:x', Value: '' }] }), 'InvalidInput', 400,
    'aws: prefixed tag key names are not allowed for external use.');
});

test('GetAccountAuthorizationDetails: all of an account, in pages', async () => {
  const by = clientOf({ accessKeyId: '210987654321', secretAccessKey: 'x' });
  const details = (input = {}) => send('GetAccountAuthorizationDetails', input, by);
  const PolicyArn = (await send('CreatePolicy', { PolicyName: 'p', PolicyDocument: policy() }, by)).Policy.Arn;
  await send('CreateRole', { RoleName: 'r', AssumeRolePolicyDocument: TRUST, Tags: [{ Key: 'k', Value: 'v' }] }, by);
  await send('PutRolePolicy', { RoleName: 'r', PolicyName: 'in', PolicyDocument: policy('sqs:*') }, by);
  await send('AttachRolePolicy', { RoleName: 'r', PolicyArn: AWS_POLICY('AWSLambdaRole') }, by);
  await send('CreateUser', { UserName: 'u' }, by);
  await send('CreateGroup', { GroupName: 'g' }, by);
  await send('AddUserToGroup', { GroupName: 'g', UserName: 'u' }, by);
  await send('AttachGroupPolicy', { GroupName: 'g', PolicyArn }, by);
  const all = await details();
  assert.equal(all.IsTruncated, false);
  const [role] = all.RoleDetailList;
  assert.deepEqual([role.RoleName, decodeURIComponent(role.AssumeRolePolicyDocument), role.Tags, role.InstanceProfileList], ['r', TRUST, [{ Key: 'k', Value: 'v' }], []]);
  assert.deepEqual(role.RolePolicyList.map((p) => [p.PolicyName, decodeURIComponent(p.PolicyDocument)]), [['in', policy('sqs:*')]]);
  assert.deepEqual(role.AttachedManagedPolicies, [{ PolicyName: 'AWSLambdaRole', PolicyArn: AWS_POLICY('AWSLambdaRole') }]);
  assert.deepEqual(all.UserDetailList.map((u) => [u.UserName, u.GroupList]), [['u', ['g']]]);
  assert.deepEqual(all.GroupDetailList.map((g) => [g.GroupName, g.AttachedManagedPolicies]), [['g', [{ PolicyName: 'p', PolicyArn }]]]);
  assert.deepEqual(all.Policies.map((p) => [p.PolicyName, p.AttachmentCount]), [['p', 1], ['AWSLambdaRole', 1]]);
  assert.equal(decodeURIComponent(all.Policies[0].PolicyVersionList[0].Document), policy());
  const only = await details({ Filter: ['Role', 'AWSManagedPolicy'] });
  assert.deepEqual([only.RoleDetailList, only.UserDetailList, only.GroupDetailList, only.Policies].map((l) => l.length), [1, 0, 0, 1]);
  let count = 0;
  for (let page, Marker; !page || Marker; Marker = page.Marker) {
    page = await details({ MaxItems: 2, Marker });
    count += [page.RoleDetailList, page.UserDetailList, page.GroupDetailList, page.Policies].reduce((n, l) => n + l.length, 0);
  }
  assert.equal(count, 5);
  by.destroy();
});

test('accounts do not see each other; everything is there after a restart', async () => {
  const other = clientOf({ accessKeyId: '123456789012', secretAccessKey: 'x' });
  await makeRole('shared-name');
  assert.equal((await send('CreateRole', { RoleName: 'shared-name', AssumeRolePolicyDocument: TRUST }, other)).Role.Arn, 'arn:aws:iam::123456789012:role/shared-name');
  assert.deepEqual((await send('ListRoles', {}, other)).Roles.map((r) => r.RoleName), ['shared-name']);
  await send('AttachRolePolicy', { RoleName: 'shared-name', PolicyArn: AWS_POLICY('AWSLambdaBasicExecutionRole') });
  await send('CreateUser', { UserName: 'kept' });
  const { AccessKey } = await send('CreateAccessKey', { UserName: 'kept' });
  assert.ok(!lk.output.includes(AccessKey.SecretAccessKey));
  const all = (await send('ListRoles')).Roles;
  await lk.signal('SIGKILL');
  await lk.begin();
  assert.deepEqual((await send('ListRoles')).Roles, all);
  assert.deepEqual((await send('ListAttachedRolePolicies', { RoleName: 'shared-name' })).AttachedPolicies.map((p) => p.PolicyName), ['AWSLambdaBasicExecutionRole']);
  assert.equal((await send('GetPolicy', { PolicyArn: AWS_POLICY('AWSLambdaBasicExecutionRole') })).Policy.AttachmentCount, 1);
  const kept = clientOf({ accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey });
  assert.equal((await send('GetUser', {}, kept)).User.UserName, 'kept');
  other.destroy();
  kept.destroy();
});

test('what is not there says so; bad requests get an answer in XML', async () => {
  await fails(send('CreateInstanceProfile', { InstanceProfileName: 'x' }), 'NotImplemented', 501, 'CreateInstanceProfile is not implemented by lambkin yet.');
  const form = (body) => lk.request('POST', '/', body, { 'Content-Type': 'application/x-www-form-urlencoded',
    Authorization: lk.authorization().replace('/lambda/', '/iam/') });
  const error = (answer) => [answer.status, /<Code>(.*?)<\/Code><Message>(.*?)<\/Message>/s.exec(answer.text).slice(1)].flat();
  const V = 'Version=2010-05-08';
  assert.deepEqual(error(await form(`Action=Nothing&${V}`)), [400, 'InvalidAction', 'Could not find operation Nothing for version 2010-05-08']);
  assert.deepEqual(error(await form('Action=GetRole&RoleName=x')), [400, 'InvalidAction', 'Could not find operation GetRole for version NO_VERSION_SPECIFIED']);
  assert.deepEqual(error(await form(V)), [400, 'MissingAction', 'Missing Action']);
  assert.deepEqual(error(await form('')), [400, 'MissingAction', 'Missing Action']);
  assert.deepEqual(error(await form(`Action=GetRole&${V}&RoleName=%`)), [400, 'MalformedQueryString', 'The query string contains a syntax error.']);
  assert.deepEqual(error(await form(`Action=GetRole&${V}&RoleName.x=1`)), [400, 'MalformedInput', 'Start of structure or map found where not expected.']);
  assert.deepEqual(error(await form(`Action=ListRoles&${V}&MaxItems=many`)), [400, 'MalformedInput', 'STRING_VALUE can not be converted to an Integer']);
  assert.deepEqual(error(await form(`Action=GetRole&${V}&RoleName=%3Cx%3E%26`)).slice(0, 2), [400, 'ValidationError']);
  const large = await form(`Action=GetRole&${V}&RoleName=${'x'.repeat(7 << 20)}`);
  assert.equal(large.status, 413);
  const got = await lk.request('GET', `/?Action=GetRole&${V}&RoleName=shared-name`);
  assert.equal(got.status, 200);
  assert.equal(got.headers['content-type'], 'text/xml');
  assert.match(got.text, /^<GetRoleResponse xmlns="https:\/\/iam\.amazonaws\.com\/doc\/2010-05-08\/"><GetRoleResult><Role>/);
  assert.match(got.text, new RegExp(`<RequestId>${got.headers['x-amzn-requestid']}</RequestId>`));
});
