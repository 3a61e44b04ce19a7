/* STS, by AWS's SDK: who calls, and credentials that tell it. IAM and STS by the AWS CLI. */
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { test, before, after } = require('node:test');
const { IAMClient, CreateRoleCommand, CreateUserCommand, CreateAccessKeyCommand, UpdateAccessKeyCommand, GetUserCommand } = require('@aws-sdk/client-iam');
const { LambdaClient, ListFunctionsCommand } = require('@aws-sdk/client-lambda');
const sts = require('@aws-sdk/client-sts');
const { Lambkin, ACCOUNT, REGION, cleanEnv } = require('./lib/lambkin');

const TRUST = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' }] });
const RoleArn = `arn:aws:iam::${ACCOUNT}:role/app/worker`;
const HOUR = 3600000;
const clients = [];
let lk;
let root;
let roleId;

function clientOf(Client, credentials = { accessKeyId: 'any', secretAccessKey: 'any' }) {
  const client = new Client({ endpoint: lk.endpoint, region: REGION, maxAttempts: 1, credentials });
  clients.push(client);
  return client;
}
const sessionOf = ({ AccessKeyId, SecretAccessKey, SessionToken }) => ({ accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken });

before(async () => {
  lk = await Lambkin.start();
  root = clientOf(sts.STSClient);
  roleId = (await clientOf(IAMClient).send(new CreateRoleCommand({ RoleName: 'worker', Path: '/app/', AssumeRolePolicyDocument: TRUST, MaxSessionDuration: 7200 }))).Role.RoleId;
});
after(async () => {
  for (const client of clients) client.destroy();
  await lk.stop();
});

async function who(credentials) {
  const { $metadata, ...identity } = await clientOf(sts.STSClient, credentials).send(new sts.GetCallerIdentityCommand({}));
  return identity;
}
const assume = (input, by = root) => by.send(new sts.AssumeRoleCommand({ RoleArn, RoleSessionName: 'one', ...input }));

async function fails(promise, code, status, message) {
  const error = await promise.then(() => assert.fail(`expected ${code}: ${message}`), (e) => e);
  assert.deepEqual([error.name.replace(/Exception$/, ''), error.$metadata?.httpStatusCode, error.message], [code, status, message], error.stack);
}

test('anybody is the root of an account', async () => {
  assert.deepEqual(await who(), { UserId: ACCOUNT, Account: ACCOUNT, Arn: `arn:aws:iam::${ACCOUNT}:root` });
  const other = '123456789012';
  assert.deepEqual(await who({ accessKeyId: other, secretAccessKey: 'x' }), { UserId: other, Account: other, Arn: `arn:aws:iam::${other}:root` });
  /* of the right shape, but not from here */
  for (const accessKeyId of ['AKIAIOSFODNN7EXAMPLE', 'ASIAIOSFODNN7EXAMPLE']) {
    assert.equal((await who({ accessKeyId, secretAccessKey: 'x', sessionToken: 'IQoJb3JpZ2luX2VjAAAA' })).Arn, `arn:aws:iam::${ACCOUNT}:root`);
  }
  const unsigned = await lk.request('POST', '/', 'Action=GetCallerIdentity&Version=2011-06-15', { 'Content-Type': 'application/x-www-form-urlencoded' });
  assert.match(unsigned.text, new RegExp(`<Arn>arn:aws:iam::${ACCOUNT}:root</Arn>`));
});

test('AssumeRole: a session that is one', async () => {
  const answer = await assume({ DurationSeconds: 900, SourceIdentity: 'me' });
  const { Credentials, AssumedRoleUser } = answer;
  assert.match(Credentials.AccessKeyId, /^ASIA[A-Z2-7]{16}$/);
  assert.match(Credentials.SecretAccessKey, /^[A-Za-z0-9+/]{40}$/);
  assert.ok(Math.abs(Credentials.Expiration - Date.now() - HOUR / 4) < 30000);
  const arn = `arn:aws:sts::${ACCOUNT}:assumed-role/worker/one`; /* without the role's path */
  assert.deepEqual(AssumedRoleUser, { AssumedRoleId: `${roleId}:one`, Arn: arn });
  assert.deepEqual([answer.SourceIdentity, answer.PackedPolicySize], ['me', undefined]);
  assert.deepEqual(await who(sessionOf(Credentials)), { UserId: `${roleId}:one`, Account: ACCOUNT, Arn: arn });
  const again = (await assume()).Credentials;
  assert.notEqual(again.AccessKeyId, Credentials.AccessKeyId);
  assert.ok(Math.abs(again.Expiration - Date.now() - HOUR) < 30000);
  /* a token belongs to its key */
  assert.equal((await who({ ...sessionOf(again), sessionToken: Credentials.SessionToken })).Arn, `arn:aws:iam::${ACCOUNT}:root`);
  await clientOf(LambdaClient, sessionOf(again)).send(new ListFunctionsCommand({}));
  /* chained, for an hour at most */
  const chained = clientOf(sts.STSClient, sessionOf(again));
  assert.equal((await assume({ RoleSessionName: 'two' }, chained)).AssumedRoleUser.Arn, `arn:aws:sts::${ACCOUNT}:assumed-role/worker/two`);
  await fails(assume({ DurationSeconds: 3601 }, chained), 'ValidationError', 400,
    'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining');
  await fails(chained.send(new sts.GetSessionTokenCommand({})), 'AccessDenied', 403, 'Cannot call GetSessionToken with session credentials');
  /* and through a restart */
  await lk.signal('SIGKILL');
  await lk.begin();
  assert.equal((await who(sessionOf(again))).Arn, arn);
});

test('a role of another account', async () => {
  await clientOf(IAMClient, { accessKeyId: '123456789012', secretAccessKey: 'x' }).send(new CreateRoleCommand({ RoleName: 'far', AssumeRolePolicyDocument: TRUST }));
  const { Credentials } = await assume({ RoleArn: 'arn:aws:iam::123456789012:role/far' });
  const identity = await who(sessionOf(Credentials));
  assert.deepEqual([identity.Account, identity.Arn], ['123456789012', 'arn:aws:sts::123456789012:assumed-role/far/one']);
});

test('AssumeRole: errors', async () => {
  const denied = (arn) => ['AccessDenied', 403, `User: arn:aws:iam::${ACCOUNT}:root is not authorized to perform: sts:AssumeRole on resource: ${arn}`];
  for (const arn of [`arn:aws:iam::${ACCOUNT}:role/none`, `arn:aws:iam::${ACCOUNT}:role/worker`, `arn:aws:iam::${ACCOUNT}:user/worker`]) await fails(assume({ RoleArn: arn }), ...denied(arn));
  await fails(assume({ RoleArn: 'not-the-arn-of-anything' }), 'ValidationError', 400, 'not-the-arn-of-anything is invalid');
  await fails(assume({ RoleSessionName: 'a b' }), 'ValidationError', 400,
    "1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*");
  await fails(assume({ DurationSeconds: 899 }), 'ValidationError', 400,
    "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900");
  await fails(assume({ DurationSeconds: 7201 }), 'ValidationError', 400, 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
  await fails(assume({ Policy: '{' }), 'MalformedPolicyDocument', 400, 'This policy contains invalid Json');
  await fails(assume({ SerialNumber: 'arn:aws:iam::1:mfa/x', TokenCode: '123456' }), 'AccessDenied', 403,
    'MultiFactorAuthentication failed with invalid MFA one time pass code. ');
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: '*', Resource: '*' } });
  assert.equal((await assume({ Policy })).PackedPolicySize, 5);
  await fails(assume({ Policy: Policy + ' '.repeat(4096 - Policy.length) }), 'PackedPolicyTooLarge', 400, 'Packed policy consumes 200% of allotted space, please use smaller policy.');
});

test('GetSessionToken: the same caller for a while', async () => {
  const mine = (await root.send(new sts.GetSessionTokenCommand({ DurationSeconds: 7200 }))).Credentials;
  assert.ok(Math.abs(mine.Expiration - Date.now() - HOUR) < 30000, 'the root of an account gets an hour at most');
  assert.equal((await who(sessionOf(mine))).Arn, `arn:aws:iam::${ACCOUNT}:root`);
  const iam = clientOf(IAMClient);
  await iam.send(new CreateUserCommand({ UserName: 'ann' }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'ann' }));
  const ann = { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
  assert.equal((await who(ann)).Arn, `arn:aws:iam::${ACCOUNT}:user/ann`);
  const hers = (await clientOf(sts.STSClient, ann).send(new sts.GetSessionTokenCommand({}))).Credentials;
  assert.ok(Math.abs(hers.Expiration - Date.now() - 12 * HOUR) < 30000);
  assert.equal((await who(sessionOf(hers))).Arn, `arn:aws:iam::${ACCOUNT}:user/ann`);
  assert.equal((await clientOf(IAMClient, sessionOf(hers)).send(new GetUserCommand({}))).User.UserName, 'ann');
  const off = (Status) => iam.send(new UpdateAccessKeyCommand({ UserName: 'ann', AccessKeyId: AccessKey.AccessKeyId, Status }));
  await off('Inactive');
  await fails(who(ann), 'InvalidClientTokenId', 403, 'The security token included in the request is invalid.');
  await off('Active');
  assert.equal((await who(ann)).Arn, `arn:aws:iam::${ACCOUNT}:user/ann`);
});

test('GetAccessKeyInfo reads the account out of the key', async () => {
  const info = (AccessKeyId) => root.send(new sts.GetAccessKeyInfoCommand({ AccessKeyId }));
  const { Credentials } = await clientOf(sts.STSClient, { accessKeyId: '123456789012', secretAccessKey: 'x' }).send(new sts.GetSessionTokenCommand({}));
  assert.equal((await info(Credentials.AccessKeyId)).Account, '123456789012');
  await fails(info('AKIA111111111111'), 'ValidationError', 400, 'Invalid Access Key');
});

test('what is not there says so', async () => {
  await fails(root.send(new sts.GetFederationTokenCommand({ Name: 'me' })), 'NotImplemented', 501, 'GetFederationToken is not implemented by lambkin yet.');
});

/* ---- the AWS CLI ---- */

const AWS = process.env.LK_AWS || '/usr/bin/aws';
const skip = fs.existsSync(AWS) ? false : `${AWS} is missing (apt-get install awscli)`;
if (skip && process.env.LK_MUST_RUN === '1') throw new Error(skip);

test('the same steps by the AWS CLI', { skip }, async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'lambkin-aws-'));
  const endpoint = await lk.proxied(); /* within this process, which checks the answers (lib/model.js) */
  const env = { AWS_ACCESS_KEY_ID: 'any', AWS_SECRET_ACCESS_KEY: 'any', HOME: dir, AWS_EC2_METADATA_DISABLED: 'true' };
  const aws = (args, more = {}) => new Promise((done) => {
    execFile(AWS, ['--endpoint-url', endpoint, '--region', REGION, '--output', 'json', ...args], { env: cleanEnv({ ...env, ...more }), cwd: dir },
      (error, stdout, stderr) => done({ code: error ? error.code : 0, stderr, json: stdout.trim() ? JSON.parse(stdout) : undefined }));
  });
  const ok = async (...args) => {
    const answer = await aws(args);
    assert.equal(answer.code, 0, answer.stderr);
    return answer.json;
  };
  try {
    assert.deepEqual(await ok('sts', 'get-caller-identity'), { UserId: ACCOUNT, Account: ACCOUNT, Arn: `arn:aws:iam::${ACCOUNT}:root` });
    const { Role } = await ok('iam', 'create-role', '--role-name', 'cli', '--assume-role-policy-document', TRUST, '--tags', 'Key=a,Value=b', 'Key=c,Value=d');
    assert.deepEqual(Role.AssumeRolePolicyDocument, JSON.parse(TRUST));
    assert.deepEqual(Role.Tags, [{ Key: 'a', Value: 'b' }, { Key: 'c', Value: 'd' }]);
    const basic = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole';
    await ok('iam', 'attach-role-policy', '--role-name', 'cli', '--policy-arn', basic);
    assert.deepEqual(await ok('iam', 'list-attached-role-policies', '--role-name', 'cli'), { AttachedPolicies: [{ PolicyName: 'AWSLambdaBasicExecutionRole', PolicyArn: basic }] });
    const document = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'sqs:*', Resource: '*' }] });
    await ok('iam', 'put-role-policy', '--role-name', 'cli', '--policy-name', 'q', '--policy-document', document);
    assert.deepEqual((await ok('iam', 'get-role-policy', '--role-name', 'cli', '--policy-name', 'q')).PolicyDocument, JSON.parse(document));
    const assumed = await ok('sts', 'assume-role', '--role-arn', Role.Arn, '--role-session-name', 'shell');
    const inside = await aws(['sts', 'get-caller-identity'], { AWS_ACCESS_KEY_ID: assumed.Credentials.AccessKeyId,
      AWS_SECRET_ACCESS_KEY: assumed.Credentials.SecretAccessKey, AWS_SESSION_TOKEN: assumed.Credentials.SessionToken });
    assert.equal(inside.json.Arn, `arn:aws:sts::${ACCOUNT}:assumed-role/cli/shell`);
    assert.match((await aws(['iam', 'delete-role', '--role-name', 'cli'])).stderr, /\(DeleteConflict\) .*: Cannot delete entity, must detach all policies first\./);
    await ok('iam', 'detach-role-policy', '--role-name', 'cli', '--policy-arn', basic);
    await ok('iam', 'delete-role-policy', '--role-name', 'cli', '--policy-name', 'q');
    await ok('iam', 'delete-role', '--role-name', 'cli');
    assert.match((await aws(['iam', 'get-role', '--role-name', 'cli'])).stderr, /\(NoSuchEntity\) .*: The role with name cli cannot be found\./);
    assert.match((await aws(['iam', 'create-role', '--role-name', 'cli', '--assume-role-policy-document', '{'])).stderr, /\(MalformedPolicyDocument\) .*: This policy contains invalid Json/);
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
});
