/* The steps that Terraform and SAM take to deploy a function, in their order and with their waits, by the SDK. */
'use strict';
const assert = require('node:assert/strict');
const { test, before, after } = require('node:test');
const { LambdaClient, ...lambda } = require('@aws-sdk/client-lambda');
const { IAMClient, ...iam } = require('@aws-sdk/client-iam');
const { CloudWatchLogsClient, ...cwl } = require('@aws-sdk/client-cloudwatch-logs');
const { STSClient, GetCallerIdentityCommand } = require('@aws-sdk/client-sts');
const { Lambkin, ACCOUNT, until, zip } = require('./lib/lambkin');

let lk;
let clients;
before(async () => {
  lk = await Lambkin.start({ flags: ['--pending-ms', '200', '--update-ms', '200'] });
  const config = { endpoint: lk.endpoint, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
  clients = { lambda: new LambdaClient(config), iam: new IAMClient(config), logs: new CloudWatchLogsClient(config), sts: new STSClient(config) };
});
after(async () => {
  for (const client of Object.values(clients)) client.destroy();
  await lk.stop();
});

const name = 'orders';
const trust = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }] });
const code = (text) => zip({ 'app.py': `def handler(event, context):\n    print("order", event["id"])\n    return {"${text}": event["id"], "version": context.function_version}\n` });

test('apply, change, destroy', async () => {
  const { lambda: fn, iam: id, logs, sts } = clients;
  assert.equal((await sts.send(new GetCallerIdentityCommand({}))).Account, ACCOUNT);

  /* role and policies */
  const { Role: role } = await id.send(new iam.CreateRoleCommand({ RoleName: `${name}-role`, AssumeRolePolicyDocument: trust, Tags: [{ Key: 'app', Value: name }] }));
  await id.send(new iam.AttachRolePolicyCommand({ RoleName: role.RoleName, PolicyArn: 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole' }));
  await id.send(new iam.PutRolePolicyCommand({ RoleName: role.RoleName, PolicyName: 'inline',
    PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'sqs:*', Resource: '*' }] }) }));
  assert.equal((await id.send(new iam.GetRoleCommand({ RoleName: role.RoleName }))).Role.Arn, role.Arn);
  assert.deepEqual((await id.send(new iam.ListAttachedRolePoliciesCommand({ RoleName: role.RoleName }))).AttachedPolicies.map((p) => p.PolicyName), ['AWSLambdaBasicExecutionRole']);

  /* log group ahead of the function, as SAM does */
  const logGroupName = `/aws/lambda/${name}`;
  await logs.send(new cwl.CreateLogGroupCommand({ logGroupName, tags: { app: name } }));
  await logs.send(new cwl.PutRetentionPolicyCommand({ logGroupName, retentionInDays: 7 }));

  /* function, with its wait */
  await fn.send(new lambda.CreateFunctionCommand({ FunctionName: name, Runtime: 'python3.11', Handler: 'app.handler', Role: role.Arn, Code: { ZipFile: code('order') },
    Environment: { Variables: { TABLE: 'orders' } }, Tags: { app: name }, Publish: true, Timeout: 5 }));
  await lambda.waitUntilFunctionActiveV2({ client: fn, maxWaitTime: 10, minDelay: 0.05, maxDelay: 0.1 }, { FunctionName: name });
  const first = (await fn.send(new lambda.ListVersionsByFunctionCommand({ FunctionName: name }))).Versions.map((v) => v.Version);
  assert.deepEqual(first, ['$LATEST', '1']);

  /* alias, permission, event invoke configuration, concurrency */
  const alias = await fn.send(new lambda.CreateAliasCommand({ FunctionName: name, Name: 'live', FunctionVersion: '1' }));
  await fn.send(new lambda.AddPermissionCommand({ FunctionName: name, Qualifier: 'live', StatementId: 'AllowAPI', Action: 'lambda:InvokeFunction',
    Principal: 'apigateway.amazonaws.com', SourceArn: `arn:aws:execute-api:us-east-1:${ACCOUNT}:api/*` }));
  assert.match((await fn.send(new lambda.GetPolicyCommand({ FunctionName: name, Qualifier: 'live' }))).Policy, /AllowAPI/);
  await fn.send(new lambda.PutFunctionEventInvokeConfigCommand({ FunctionName: name, Qualifier: 'live', MaximumRetryAttempts: 1 }));
  await fn.send(new lambda.PutFunctionConcurrencyCommand({ FunctionName: name, ReservedConcurrentExecutions: 5 }));

  /* it runs, and logs where it should */
  const invoke = async (qualifier) => {
    const answer = await fn.send(new lambda.InvokeCommand({ FunctionName: name, Qualifier: qualifier, Payload: Buffer.from('{"id":7}') }));
    return JSON.parse(Buffer.from(answer.Payload).toString());
  };
  assert.deepEqual(await invoke('live'), { order: 7, version: '1' });
  await until(async () => (await logs.send(new cwl.FilterLogEventsCommand({ logGroupName, filterPattern: 'order' }))).events.length > 0, 'the line in the log');
  const group = (await logs.send(new cwl.DescribeLogGroupsCommand({ logGroupNamePrefix: logGroupName }))).logGroups[0];
  assert.equal(group.retentionInDays, 7);

  /* a plan without changes reads all of it again */
  const read = await fn.send(new lambda.GetFunctionCommand({ FunctionName: name }));
  assert.deepEqual([read.Tags, read.Concurrency.ReservedConcurrentExecutions, read.Configuration.Role], [{ app: name }, 5, role.Arn]);
  await assert.rejects(fn.send(new lambda.GetFunctionUrlConfigCommand({ FunctionName: name })), { name: 'ResourceNotFoundException' });
  assert.equal((await fn.send(new lambda.GetFunctionCodeSigningConfigCommand({ FunctionName: name }))).CodeSigningConfigArn, undefined);

  /* new code: publish, move the alias */
  await fn.send(new lambda.UpdateFunctionCodeCommand({ FunctionName: name, ZipFile: code('changed') }));
  await lambda.waitUntilFunctionUpdatedV2({ client: fn, maxWaitTime: 10, minDelay: 0.05, maxDelay: 0.1 }, { FunctionName: name });
  const { Version: version } = await fn.send(new lambda.PublishVersionCommand({ FunctionName: name }));
  await fn.send(new lambda.UpdateAliasCommand({ FunctionName: name, Name: 'live', FunctionVersion: version, RevisionId: alias.RevisionId }));
  assert.deepEqual(await invoke('live'), { changed: 7, version: '2' });

  /* destroy, in the reverse order */
  await fn.send(new lambda.RemovePermissionCommand({ FunctionName: name, Qualifier: 'live', StatementId: 'AllowAPI' }));
  await fn.send(new lambda.DeleteFunctionEventInvokeConfigCommand({ FunctionName: name, Qualifier: 'live' }));
  await fn.send(new lambda.DeleteAliasCommand({ FunctionName: name, Name: 'live' }));
  await fn.send(new lambda.DeleteFunctionCommand({ FunctionName: name }));
  await logs.send(new cwl.DeleteLogGroupCommand({ logGroupName }));
  await assert.rejects(id.send(new iam.DeleteRoleCommand({ RoleName: role.RoleName })), { name: 'DeleteConflictException' });
  await id.send(new iam.DetachRolePolicyCommand({ RoleName: role.RoleName, PolicyArn: 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole' }));
  await id.send(new iam.DeleteRolePolicyCommand({ RoleName: role.RoleName, PolicyName: 'inline' }));
  await id.send(new iam.DeleteRoleCommand({ RoleName: role.RoleName }));
  await assert.rejects(id.send(new iam.GetRoleCommand({ RoleName: role.RoleName })), { name: 'NoSuchEntityException' });
});

test('--check-roles: the role must exist and trust Lambda', async () => {
  const strict = await Lambkin.start({ flags: ['--check-roles'] });
  const id = new IAMClient({ endpoint: strict.endpoint, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } });
  const create = (role) => strict.api('POST', '/2015-03-31/functions', { FunctionName: 'strict', Runtime: 'python3.11', Handler: 'app.handler',
    Role: `arn:aws:iam::${ACCOUNT}:role/${role}`, Code: { ZipFile: code('x').toString('base64') } });
  const refused = (answer) => assert.deepEqual([answer.status, answer.headers['x-amzn-errortype'], answer.json.message],
    [400, 'InvalidParameterValueException', 'The role defined for the function cannot be assumed by Lambda.']);
  try {
    refused(await create('nobody'));
    await id.send(new iam.CreateRoleCommand({ RoleName: 'ec2', AssumeRolePolicyDocument: trust.replace('lambda.', 'ec2.') }));
    refused(await create('ec2'));
    await id.send(new iam.CreateRoleCommand({ RoleName: 'good', AssumeRolePolicyDocument: trust }));
    assert.equal((await create('good')).status, 201);
    await strict.settled('strict');
    refused(await strict.api('PUT', '/2015-03-31/functions/strict/configuration', { Role: `arn:aws:iam::${ACCOUNT}:role/ec2` }));
  } finally {
    id.destroy();
    await strict.stop();
  }
});
