/* CreateFunction to DeleteFunction: shapes, defaults, states, errors to the letter. */
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test, before, after } = require('node:test');
const {
  LambdaClient, CreateFunctionCommand, GetFunctionCommand, GetFunctionConfigurationCommand, UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand, ListFunctionsCommand, DeleteFunctionCommand, GetAccountSettingsCommand,
  InvokeCommand, waitUntilFunctionActiveV2, waitUntilFunctionUpdatedV2,
} = require('@aws-sdk/client-lambda');
const { Lambkin, PUPPET, ACCOUNT, REGION, ROLE, UUID, sha256, until, zip } = require('./lib/lambkin');

const ECHO = zip({ 'app.py': 'def handler(event, context):\n    return event\n' });
const arn = (name) => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`;
const ROLE_PATTERN = 'arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+';
const RUNTIMES = '[nodejs20.x, python3.14, provided.al2023, python3.12, python3.13, nodejs24.x, nodejs22.x, java25, '
  + 'python3.10, python3.11, java21, ruby3.3, ruby3.4, ruby3.2, python3.8, python3.9, java17, nodejs16.x, dotnet10, '
  + 'dotnet8, java11, dotnet6, nodejs18.x, provided.al2, java8.al2]';
let lk;
let sdk;

before(async () => {
  lk = await Lambkin.start();
  sdk = new LambdaClient({ endpoint: lk.endpoint, region: REGION, maxAttempts: 1,
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' } });
});
after(async () => {
  sdk.destroy();
  await lk.stop();
});

const input = (name, rest = {}) => ({
  FunctionName: name, Runtime: 'python3.11', Handler: 'app.handler', Role: ROLE, Code: { ZipFile: ECHO }, ...rest,
});
const wire = (name, rest = {}) => ({ ...input(name), Code: { ZipFile: ECHO.toString('base64') }, ...rest });
const post = (body, headers) => lk.api('POST', '/2015-03-31/functions', body, headers);

/* An error answer: status, code, message; whose member name and Type depend on the code. */
function isError(answer, status, code, message) {
  const name = ['ResourceNotFoundException', 'AccessDeniedException'].includes(code) ? 'Message' : 'message';
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers['x-amzn-errortype'], code, answer.text);
  assert.match(answer.headers['x-amzn-requestid'], UUID);
  const unmodelled = ['ValidationException', 'RequestEntityTooLargeException', 'AccessDeniedException'].includes(code);
  if (message instanceof RegExp) assert.match(answer.json[name] ?? '', message);
  else assert.equal(answer.json[name], message);
  const { [name]: _, ...rest } = answer.json;
  assert.deepEqual(rest, unmodelled ? {} : { Type: 'User' });
}

test('create answers Pending, later Active, with AWS\'s defaults', async () => {
  const created = await post(wire('first'));
  assert.equal(created.status, 201, created.text);
  assert.match(created.headers['x-amzn-requestid'], UUID);
  assert.match(created.headers['content-type'], /^application\/json/);
  const { LastModified, RevisionId, RuntimeVersionConfig, ...rest } = created.json;
  assert.match(LastModified, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/);
  assert.match(RevisionId, UUID);
  assert.match(RuntimeVersionConfig.RuntimeVersionArn, /^arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}$/);
  assert.deepEqual(rest, {
    FunctionName: 'first', FunctionArn: arn('first'), Runtime: 'python3.11', Role: ROLE, Handler: 'app.handler',
    CodeSize: ECHO.length, Description: '', Timeout: 3, MemorySize: 128, CodeSha256: sha256(ECHO).digest('base64'),
    Version: '$LATEST', TracingConfig: { Mode: 'PassThrough' }, State: 'Pending',
    StateReason: 'The function is being created.', StateReasonCode: 'Creating', PackageType: 'Zip',
    Architectures: ['x86_64'], EphemeralStorage: { Size: 512 },
    SnapStart: { ApplyOn: 'None', OptimizationStatus: 'Off' },
    LoggingConfig: { LogFormat: 'Text', LogGroup: '/aws/lambda/first' },
  });
  await waitUntilFunctionActiveV2({ client: sdk, maxWaitTime: 10, minDelay: 1 }, { FunctionName: 'first' });
  const { Configuration, Code, Tags, Concurrency, $metadata } = await sdk.send(
    new GetFunctionCommand({ FunctionName: 'first' }));
  assert.equal($metadata.httpStatusCode, 200);
  assert.equal(Configuration.State, 'Active');
  assert.equal(Configuration.LastUpdateStatus, 'Successful');
  for (const absent of ['StateReason', 'StateReasonCode', 'LastUpdateStatusReason', 'LastUpdateStatusReasonCode',
    'Environment', 'VpcConfig', 'Layers', 'ImageConfigResponse']) {
    assert.equal(absent in Configuration && Configuration[absent] !== undefined, false, absent);
  }
  assert.notEqual(Configuration.RevisionId, RevisionId, 'a new revision when it becomes active');
  assert.equal(Code.RepositoryType, 'S3');
  assert.equal(Tags, undefined);
  assert.equal(Concurrency, undefined);
  assert.deepEqual(await sdk.send(new GetFunctionConfigurationCommand({ FunctionName: 'first' }))
    .then(({ $metadata: _, ...config }) => config), Configuration);
});

test('the code is downloaded byte for byte', async () => {
  const big = zip({ 'app.py': 'def handler(e, c):\n    return 1\n', 'noise': { data: require('node:crypto').randomBytes(3e6) } });
  await lk.create('bytes', big);
  const { Code } = await sdk.send(new GetFunctionCommand({ FunctionName: 'bytes' }));
  const answer = await fetch(Code.Location);
  assert.equal(answer.status, 200);
  assert.deepEqual(Buffer.from(await answer.arrayBuffer()), big);
  const forged = new URL(Code.Location);
  forged.pathname = forged.pathname.replace(/[0-9a-f]{8}/, '../../..');
  assert.notEqual((await fetch(forged)).status, 200);
});

test('an existing function is not created again', async () => {
  await lk.create('twice', ECHO);
  isError(await post(wire('twice')), 409, 'ResourceConflictException', 'Function already exist: twice');
});

test('environment: absent, empty, given', async () => {
  assert.equal('Environment' in await lk.create('env-absent', ECHO), false);
  assert.deepEqual((await lk.create('env-empty', ECHO, { env: {} })).Environment, { Variables: {} });
  assert.deepEqual((await lk.create('env-given', ECHO, { env: { A1: 'b', Cc: '' } })).Environment,
    { Variables: { A1: 'b', Cc: '' } });
});

test('environment: 4 KB as compact JSON, and reserved names', async () => {
  const frame = JSON.stringify({ KEY: '' }).length;
  await lk.create('env-4096', ECHO, { env: { KEY: 'x'.repeat(4096 - frame) } });
  const tooLong = { KEY: 'x'.repeat(4097 - frame) };
  isError(await post(wire('env-4097', { Environment: { Variables: tooLong } })), 400, 'InvalidParameterValueException',
    'Lambda was unable to configure your environment variables because the environment variables you have provided '
    + `exceeded the 4KB limit. String measured: ${JSON.stringify(tooLong)}`);
  for (const name of ['AWS_REGION', '_HANDLER', 'AWS_LAMBDA_FUNCTION_NAME', 'LAMBDA_TASK_ROOT']) {
    const answer = await post(wire('env-reserved', { Environment: { Variables: { [name]: 'x' } } }));
    assert.equal(answer.status, 400, `${name}: ${answer.text}`);
  }
  for (const name of ['1A', 'A', 'A-B', '']) {
    const answer = await post(wire('env-name', { Environment: { Variables: { [name]: 'x' } } }));
    assert.equal(answer.status, 400, `'${name}': ${answer.text}`);
  }
});

test('names: plain, partial and full ARNs', async () => {
  for (const [given, name] of [
    [`${ACCOUNT}:function:form1`, 'form1'], ['function:form2', 'form2'], [arn('form3'), 'form3'],
    [`${arn('form4')}:$LATEST`, 'form4'], [`arn:aws:lambda:${REGION}:${ACCOUNT}:function`, 'function'],
  ]) {
    const answer = await post(wire(given));
    assert.equal(answer.status, 201, `${given}: ${answer.text}`);
    assert.equal(answer.json.FunctionName, name);
    assert.equal(answer.json.FunctionArn, arn(name));
  }
  for (const form of ['form1', arn('form1'), `${ACCOUNT}:function:form1`, 'form1:$LATEST', `${arn('form1')}:$LATEST`]) {
    const answer = await lk.api('GET', `/2015-03-31/functions/${encodeURIComponent(form)}`);
    assert.equal(answer.status, 200, `${form}: ${answer.text}`);
    assert.equal(answer.json.Configuration.FunctionName, 'form1');
    const qualified = form.endsWith('$LATEST');
    assert.equal(answer.json.Configuration.FunctionArn, qualified ? `${arn('form1')}:$LATEST` : arn('form1'));
  }
});

test('names: too long, malformed, elsewhere', async () => {
  isError(await post(wire('n'.repeat(65))), 400, 'InvalidParameterValueException',
    `1 validation error detected: Value '${'n'.repeat(65)}' at 'functionName' failed to satisfy constraint: `
    + 'Member must have length less than or equal to 64');
  isError(await post(wire('n'.repeat(141))), 400, 'ValidationException',
    `1 validation error detected: Value '${'n'.repeat(141)}' at 'functionName' failed to satisfy constraint: `
    + 'Member must have length less than or equal to 140');
  isError(await post(wire('a.b')), 400, 'ValidationException',
    "1 validation error detected: Value 'a.b' at 'functionName' failed to satisfy constraint: Member must satisfy "
    + 'regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?'
    + '(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?');
  isError(await lk.api('GET', `/2015-03-31/functions/${'n'.repeat(65)}`), 404, 'ResourceNotFoundException',
    `Function not found: ${arn('n'.repeat(65))}`);
  isError(await lk.api('GET', '/2015-03-31/functions/arn:aws:lambda:eu-west-1:000000000000:function:x'), 404,
    'ResourceNotFoundException', "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')");
  const elsewhere = await post(wire(`arn:aws:lambda:${REGION}:999999999999:function:x`));
  assert.equal(elsewhere.status, 403);
  assert.equal(elsewhere.headers['x-amzn-errortype'], 'AccessDeniedException');
  assert.equal(elsewhere.json.Message ?? elsewhere.json.message ?? null, null);
});

test('qualifiers', async () => {
  await lk.create('qualified', ECHO);
  const get = (name, query) => lk.api('GET', `/2015-03-31/functions/${encodeURIComponent(name)}?Qualifier=${
    encodeURIComponent(query)}`);
  isError(await get('qualified:$LATEST', '1'), 400, 'InvalidParameterValueException',
    'The derived qualifier from the function name does not match the specified qualifier.');
  assert.equal((await get('qualified:$LATEST', '$LATEST')).status, 200);
  isError(await get('qualified', '7'), 404, 'ResourceNotFoundException', `Function not found: ${arn('qualified')}:7`);
  isError(await get('qualified', '$latest'), 404, 'ResourceNotFoundException',
    `Function not found: ${arn('qualified')}:$latest`);
  isError(await get('qualified', 'q'.repeat(129)), 400, 'ValidationException',
    `1 validation error detected: Value '${'q'.repeat(129)}' at 'qualifier' failed to satisfy constraint: `
    + 'Member must have length less than or equal to 128');
  const invoked = await lk.invoke('missing', {});
  isError(invoked, 404, 'ResourceNotFoundException', `Function not found: ${arn('missing')}:$LATEST`);
  isError(await lk.request('POST', '/2015-03-31/functions/qualified/invocations?Qualifier=prod', '{}'), 404,
    'ResourceNotFoundException', `Function not found: ${arn('qualified')}:prod`);
});

test('constraints in AWS\'s words', async () => {
  const bad = async (rest, message) => isError(await post(wire('bad', rest)), 400, 'ValidationException',
    `1 validation error detected: ${message}`);
  await bad({ MemorySize: 127 }, "Value '127' at 'memorySize' failed to satisfy constraint: Member must have value "
    + 'greater than or equal to 128');
  await bad({ Timeout: 0 }, "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or "
    + 'equal to 1');
  await bad({ Role: 'nobody' }, "Value 'nobody' at 'role' failed to satisfy constraint: Member must satisfy regular "
    + `expression pattern: ${ROLE_PATTERN}`);
  await bad({ Description: 'd'.repeat(257) }, `Value '${'d'.repeat(257)}' at 'description' failed to satisfy constraint: `
    + 'Member must have length less than or equal to 256');
  await bad({ Handler: 'a b' }, "Value 'a b' at 'handler' failed to satisfy constraint: Member must satisfy regular "
    + 'expression pattern: [^\\s]+');
  await bad({ Architectures: ['x86_64', 'arm64'] }, "Value '[x86_64, arm64]' at 'architectures' failed to satisfy "
    + 'constraint: Member must have length less than or equal to 1');
  await bad({ Architectures: ['X86_64'] }, "Value '[X86_64]' at 'architectures' failed to satisfy constraint: Member must "
    + 'satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]');
  await bad({ SnapStart: { ApplyOn: 'Never' } }, "Value 'Never' at 'snapStart.applyOn' failed to satisfy constraint: "
    + 'Member must satisfy enum value set: [PublishedVersions, None]');
  await bad({ EphemeralStorage: { Size: 511 } }, "Value '511' at 'ephemeralStorage.size' failed to satisfy constraint: "
    + 'Member must have value greater than or equal to 512');
  await bad({ EphemeralStorage: { Size: 10241 } }, "Value '10241' at 'ephemeralStorage.size' failed to satisfy constraint: "
    + 'Member must have value less than or equal to 10240');
  isError(await lk.api('GET', '/2015-03-31/functions?FunctionVersion=SOME'), 400, 'ValidationException',
    "1 validation error detected: Value 'SOME' at 'functionVersion' failed to satisfy constraint: Member must satisfy enum "
    + 'value set: [ALL]');
  const two = await post(wire('bad', { MemorySize: 1, Timeout: 0 }));
  assert.equal(two.status, 400);
  assert.match(two.json.message, /^2 validation errors detected: Value '.*; Value '.*$/);
  for (const part of ["Value '1' at 'memorySize'", "Value '0' at 'timeout'"]) assert.ok(two.json.message.includes(part));
  for (const rest of [{ MemorySize: 32769 }, { MemorySize: 10241 }, { Timeout: 901 }, { Timeout: 5401 }]) {
    const answer = await post(wire('bad', rest));
    assert.equal(answer.status, 400, `${JSON.stringify(rest)}: ${answer.text}`);
  }
  const { Role: _, ...noRole } = wire('bad');
  isError(await post(noRole), 400, 'ValidationException',
    "1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null");
  assert.equal((await lk.api('GET', '/2015-03-31/functions/bad')).status, 404, 'nothing is left behind');
});

test('runtimes: unknown, retired, missing', async () => {
  for (const name of ['python9', 'PYTHON3.11']) {
    isError(await post(wire('rt', { Runtime: name })), 400, 'InvalidParameterValueException',
      `Value ${name} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: ${RUNTIMES} `
      + 'or be a valid ARN');
  }
  for (const name of ['java8', 'go1.x', 'provided', 'ruby2.7', 'nodejs14.x', 'nodejs12.x', 'python3.7', 'dotnetcore3.1']) {
    isError(await post(wire('rt', { Runtime: name })), 400, 'InvalidParameterValueException',
      `The runtime parameter of ${name} is no longer supported for creating or updating AWS Lambda functions. We recommend `
      + 'you use a supported runtime while creating or updating functions.');
  }
  const { Runtime: _, ...none } = wire('rt');
  assert.equal((await post(none)).status, 400);
  await lk.create('rt-update', ECHO);
  isError(await lk.api('PUT', '/2015-03-31/functions/rt-update/configuration', { Runtime: 'python9' }), 400,
    'InvalidParameterValueException', `Value python9 at 'runtime' failed to satisfy constraint: Member must satisfy enum `
    + `value set: ${RUNTIMES} or be a valid ARN`);
});

test('retired runtimes on request; go1.x runs what its handler names, and nothing elsewhere', async () => {
  const old = await Lambkin.start({ flags: ['--retired-runtimes', 'true'] });
  try {
    for (const name of ['java8', 'provided', 'ruby2.7', 'nodejs14.x', 'python3.7', 'dotnetcore3.1']) {
      assert.equal((await old.api('POST', '/2015-03-31/functions', wire('rt', { Runtime: name, FunctionName: name.replace('.', '-') }))).status, 201, name);
    }
    assert.equal((await old.api('POST', '/2015-03-31/functions', wire('rt', { Runtime: 'python9' }))).status, 400);
    for (const [handler, text] of [['nothere', 'no such file or directory'], ['../../../../etc/shadow', 'no such file or directory'], ['app.py/x', 'not a directory']]) {
      const name = `go-${handler.length}`;
      await old.create(name, ECHO, { runtime: 'go1.x', handler });
      const answer = await old.invoke(name, {});
      assert.deepEqual(answer.json, { errorType: 'Runtime.InvalidEntrypoint',
        errorMessage: `RequestId: ${answer.headers['x-amzn-requestid']} Error: fork/exec /var/task/${handler}: ${text}` });
    }
  } finally {
    await old.stop();
  }
});

test('a request of a million values is refused before it is parsed', async () => {
  const answer = await lk.request('POST', '/2015-03-31/functions', `{"zz":[${'[],'.repeat(2e6)}1]}`, { 'Content-Type': 'application/json' });
  assert.equal(answer.status, 400);
  assert.match(answer.text, /too many values/);
});

test('functions of another account are not invoked', async () => {
  const signed = { Authorization: lk.authorization('111111111111') };
  const made = await lk.api('POST', '/2015-03-31/functions', wire('theirs'), signed);
  assert.equal(made.status, 201, made.text);
  const foreign = await lk.invoke(made.json.FunctionArn, {});
  isError(foreign, 403, 'AccessDeniedException', 'User: arn:aws:iam::000000000000:root is not authorized to perform: '
    + `lambda:InvokeFunction on resource: ${made.json.FunctionArn} because no resource-based policy allows the `
    + 'lambda:InvokeFunction action');
  assert.notEqual((await lk.invoke(made.json.FunctionArn, {}, signed)).status, 403);
});

test('the nearest interpreter serves, with a warning; a setting makes that an error', async () => {
  const there = require('node:fs').existsSync('/usr/bin/python3.13');
  const made = await lk.api('POST', '/2015-03-31/functions', wire('near', { Runtime: 'python3.13', Handler: 'app.handler',
    Code: { ZipFile: zip(PUPPET).toString('base64') } }));
  assert.equal(made.status, 201, made.text);
  await lk.settled('near');
  assert.equal(await lk.call('near', { code: 'result = os.environ["AWS_EXECUTION_ENV"]' }), 'AWS_Lambda_python3.13');
  if (!there) {
    assert.match(made.headers['x-lambkin-warning'], /no python3\.13: \/usr\/\S*python3\S* runs/);
    assert.match(lk.output, /function\.host function=near this host has no python3\.13: /);
    const log = await until(async () => {
      const { stdout } = await lk.cli(['logs', 'near']);
      return /REPORT/.test(stdout) && stdout;
    }, 'the log');
    assert.match(log, /INIT_START.*\n.*LAMBKIN_WARNING this host has no python3\.13: \S+ runs the function\n/);
  }
  const exact = await Lambkin.start({ flags: ['--runtime-exact', 'true'] });
  try {
    const answer = await exact.api('POST', '/2015-03-31/functions', wire('exact', { Runtime: 'python3.13' }));
    if (there) assert.equal(answer.status, 201);
    else assert.ok(answer.status >= 400 && /python3\.13/.test(answer.text), answer.text);
  } finally {
    await exact.stop();
  }
});

test('what this host cannot run is kept, with a warning; an invocation says it', async () => {
  const other = process.arch === 'x64' ? 'arm64' : 'x86_64';
  const host = process.arch === 'x64' ? 'x86_64' : 'arm64';
  const foreign = await lk.api('POST', '/2015-03-31/functions', wire('foreign', { Architectures: [other] }));
  assert.equal(foreign.status, 201, foreign.text);
  assert.deepEqual(foreign.json.Architectures, [other]);
  assert.equal(foreign.headers['x-lambkin-warning'], `this host is ${host}: what is compiled for ${other} does not run here`);
  const root = fs.mkdtempSync('/var/tmp/lambkin-empty-');
  fs.mkdirSync(`${root}/usr`);
  const bare = await Lambkin.start({ flags: ['--rootfs', `python3.14=${root}`] });
  try {
    const made = await bare.api('POST', '/2015-03-31/functions', wire('nowhere', { Runtime: 'python3.14' }));
    assert.equal(made.status, 201, made.text);
    assert.match(made.headers['x-lambkin-warning'], /^the function cannot run here: no interpreter for python3\.14 below /);
    await bare.settled('nowhere');
    const answer = await bare.invoke('nowhere', {});
    assert.deepEqual([answer.status, answer.headers['x-amzn-errortype']], [502, 'InvalidRuntimeException'], answer.text);
  } finally {
    await bare.stop();
    fs.rmSync(root, { recursive: true });
  }
  const exact = await Lambkin.start({ flags: ['--runtime-exact', 'true'] });
  try {
    isError(await exact.api('POST', '/2015-03-31/functions', wire('exact', { Architectures: [other] })), 400,
      'InvalidParameterValueException', `this host is ${host}: what is compiled for ${other} does not run here`);
    await exact.create('exact', ECHO, { runtime: wire('x').Runtime });
    isError(await exact.api('PUT', '/2015-03-31/functions/exact/code', { ZipFile: zip(ECHO).toString('base64'), Architectures: [other] }), 400,
      'InvalidParameterValueException', `this host is ${host}: what is compiled for ${other} does not run here`);
  } finally {
    await exact.stop();
  }
});

test('bodies that are not what the operation wants', async () => {
  const raw = (body) => lk.request('POST', '/2015-03-31/functions', body, { 'Content-Type': 'application/json' });
  for (const body of ['', '{', '[]', '"x"', '{"FunctionName": 5}', '{"FunctionName":"x","Code":[]}', `${'['.repeat(1e5)}`,
    '{"FunctionName":"x","MemorySize":"big"}', '{"FunctionName":"\ud800"}', '\xff\xfe', 'null',
    '{"FunctionName":"x","MemorySize":1e400}', '{"FunctionName":"x","Code":{"ZipFile":"not base64!"}}']) {
    const answer = await raw(body);
    assert.equal(answer.status, 400, `${body.slice(0, 40)}: ${answer.text}`);
    assert.ok(answer.headers['x-amzn-errortype'], answer.text);
    assert.ok(answer.json, answer.text);
  }
});

test('updates: InProgress, then Successful; one at a time; revisions', async () => {
  const slow = await Lambkin.start({ flags: ['--update-ms', '1500'] });
  try {
    await slow.create('up', ECHO);
    const before = (await slow.api('GET', '/2015-03-31/functions/up/configuration')).json;
    const update = await slow.api('PUT', '/2015-03-31/functions/up/configuration', { Description: 'new', MemorySize: 512 });
    assert.equal(update.status, 200, update.text);
    assert.equal(update.json.State, 'Active');
    assert.equal(update.json.LastUpdateStatus, 'InProgress');
    assert.equal(update.json.LastUpdateStatusReason, 'The function is being created.');
    assert.equal(update.json.LastUpdateStatusReasonCode, 'Creating');
    assert.equal(update.json.Description, 'new');
    assert.notEqual(update.json.RevisionId, before.RevisionId);
    for (const [method, path, body] of [['PUT', 'configuration', { Description: 'other' }],
      ['PUT', 'code', { ZipFile: ECHO.toString('base64') }]]) {
      isError(await slow.api(method, `/2015-03-31/functions/up/${path}`, body), 409, 'ResourceConflictException',
        `The operation cannot be performed at this time. An update is in progress for resource: ${arn('up')}`);
    }
    assert.equal((await slow.invoke('up', 1)).json, 1, 'the previous configuration keeps serving');
    const after = await slow.settled('up');
    assert.notEqual(after.RevisionId, update.json.RevisionId, 'again when the update completes');
    assert.equal(after.LastUpdateStatusReason, undefined);
    assert.equal(after.LastUpdateStatusReasonCode, undefined);
  } finally {
    await slow.stop();
  }
});

test('Pending functions are not invoked', async () => {
  const slow = await Lambkin.start({ flags: ['--pending-ms', '1500'] });
  try {
    await slow.create('pending', ECHO, { wait: false });
    isError(await slow.invoke('pending', {}), 409, 'ResourceConflictException',
      'The operation cannot be performed at this time. The function is currently in the following state: Pending');
    await slow.settled('pending');
    assert.deepEqual(await slow.call('pending', { a: 1 }), { a: 1 });
  } finally {
    await slow.stop();
  }
});

test('an update with the same values is an update', async () => {
  await lk.create('same', ECHO, { Description: 'd' });
  const before = await lk.settled('same');
  const update = await lk.api('PUT', '/2015-03-31/functions/same/configuration', { Description: 'd' });
  assert.equal(update.json.LastUpdateStatus, 'InProgress');
  assert.notEqual(update.json.RevisionId, before.RevisionId);
});

test('a wrong RevisionId', async () => {
  await lk.create('revision', ECHO);
  const { RevisionId } = await lk.settled('revision');
  for (const [path, body] of [['configuration', {}], ['code', { ZipFile: ECHO.toString('base64') }]]) {
    isError(await lk.api('PUT', `/2015-03-31/functions/revision/${path}`, { ...body,
      RevisionId: '00000000-0000-4000-8000-000000000000' }), 412, 'PreconditionFailedException',
    'The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the '
    + 'latest Revision Id');
  }
  assert.equal((await lk.api('PUT', '/2015-03-31/functions/revision/configuration', { RevisionId })).status, 200);
});

test('UpdateFunctionCode: new digest, new code runs; DryRun changes nothing; image is refused', async () => {
  await lk.create('code', ECHO);
  const two = zip({ 'app.py': 'def handler(event, context):\n    return "two"\n' });
  const digest = sha256(two).digest('base64');
  const dry = await sdk.send(new UpdateFunctionCodeCommand({ FunctionName: 'code', ZipFile: two, DryRun: true }));
  assert.equal(dry.CodeSha256, digest);
  assert.equal((await lk.settled('code')).CodeSha256, sha256(ECHO).digest('base64'));
  const update = await sdk.send(new UpdateFunctionCodeCommand({ FunctionName: 'code', ZipFile: two }));
  assert.equal(update.CodeSha256, digest);
  assert.equal(update.CodeSize, two.length);
  assert.equal(update.State, 'Active');
  assert.equal(update.LastUpdateStatus, 'InProgress');
  await waitUntilFunctionUpdatedV2({ client: sdk, maxWaitTime: 10, minDelay: 1 }, { FunctionName: 'code' });
  assert.equal(await lk.call('code', {}), 'two');
  isError(await lk.api('PUT', '/2015-03-31/functions/code/code', { ImageUri: 'x.dkr.ecr.us-east-1.amazonaws.com/x:1' }), 400,
    'InvalidParameterValueException', "Please don't provide ImageUri when updating a function with packageType Zip.");
});

test('container images: what AWS says of a request that mixes them with zips, else "not implemented"', async () => {
  const image = { ImageUri: `${ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/x:1` };
  const create = (more) => lk.api('POST', '/2015-03-31/functions', { FunctionName: 'image', Role: ROLE, Code: image, ...more });
  const zipped = { Runtime: 'python3.11', Handler: 'app.handler' };
  const wrong = async (more, message) => isError(await create(more), 400, 'InvalidParameterValueException', message);
  await wrong({}, 'Runtime and Handler are mandatory parameters for functions created with deployment packages.');
  await wrong(zipped, 'Please provide a source for function code.');
  await wrong({ ...zipped, Code: { ...image, ZipFile: ECHO.toString('base64') } }, "Please don't provide ImageUri when creating a function with packageType Zip.");
  await wrong({ ...zipped, ImageConfig: { Command: ['x'] }, Code: { ZipFile: ECHO.toString('base64') } },
    "Please don't provide ImageConfig when creating a function with packageType Zip.");
  for (const more of [zipped, { Handler: 'x' }, { Layers: [`arn:aws:lambda:us-east-1:${ACCOUNT}:layer:x:1`] }]) {
    await wrong({ PackageType: 'Image', ...more }, "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.");
  }
  const alone = await create({ PackageType: 'Image' });
  assert.deepEqual([alone.status, alone.json], [501, { Message: 'Not implemented by lambkin yet: container images (PackageType Image)' }]);
  isError(await lk.api('GET', '/2015-03-31/functions/image'), 404, 'ResourceNotFoundException', `Function not found: arn:aws:lambda:us-east-1:${ACCOUNT}:function:image`);
});

test('UpdateFunctionConfiguration changes what is given and keeps the rest', async () => {
  await lk.create('config', PUPPET, { env: { KEEP: '1' }, Timeout: 7, Description: 'old' });
  await sdk.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'config', MemorySize: 192, Description: '' }));
  const now = await lk.settled('config');
  assert.deepEqual([now.MemorySize, now.Timeout, now.Description, now.Environment.Variables],
    [192, 7, '', { KEEP: '1' }]);
  await lk.configure('config', { Environment: { Variables: { OTHER: '2' } } });
  assert.deepEqual(await lk.call('config', { code: 'result = [os.environ.get("KEEP"), os.environ.get("OTHER"), '
    + 'os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]]' }), [null, '2', '192']);
  await lk.configure('config', { Environment: { Variables: {} } });
  assert.deepEqual((await lk.settled('config')).Environment, { Variables: {} });
  const one = await lk.configure('config', { Runtime: 'python3.12' });
  const other = await lk.configure('config', { Runtime: 'python3.13' });
  assert.notEqual(one.RuntimeVersionConfig.RuntimeVersionArn, other.RuntimeVersionConfig.RuntimeVersionArn);
});

test('LoggingConfig: levels with JSON only, partial updates', async () => {
  await lk.create('logging', ECHO);
  assert.deepEqual((await lk.configure('logging', { LoggingConfig: { LogFormat: 'JSON' } })).LoggingConfig,
    { LogFormat: 'JSON', ApplicationLogLevel: 'INFO', SystemLogLevel: 'INFO', LogGroup: '/aws/lambda/logging' });
  assert.deepEqual((await lk.configure('logging', { LoggingConfig: { ApplicationLogLevel: 'DEBUG' } })).LoggingConfig,
    { LogFormat: 'JSON', ApplicationLogLevel: 'DEBUG', SystemLogLevel: 'INFO', LogGroup: '/aws/lambda/logging' });
  assert.deepEqual((await lk.configure('logging', { LoggingConfig: { LogGroup: '/mine/all' } })).LoggingConfig,
    { LogFormat: 'JSON', ApplicationLogLevel: 'DEBUG', SystemLogLevel: 'INFO', LogGroup: '/mine/all' });
  assert.deepEqual((await lk.configure('logging', { LoggingConfig: { LogFormat: 'Text' } })).LoggingConfig,
    { LogFormat: 'Text', LogGroup: '/mine/all' });
});

test('SnapStart is on for published versions only; tags are shown when there are any', async () => {
  const snap = await lk.create('snap', ECHO, { SnapStart: { ApplyOn: 'PublishedVersions' }, Tags: { team: 'a b' } });
  assert.deepEqual((await lk.api('POST', '/2015-03-31/functions/snap/versions', {})).json.SnapStart, { ApplyOn: 'PublishedVersions', OptimizationStatus: 'On' });
  assert.equal((await lk.api('POST', '/2015-03-31/functions/snap/versions', {})).json.Version, '1', 'nothing has changed');
  assert.deepEqual(snap.SnapStart, { ApplyOn: 'PublishedVersions', OptimizationStatus: 'Off' });
  assert.deepEqual((await sdk.send(new GetFunctionCommand({ FunctionName: 'snap' }))).Tags, { team: 'a b' });
});

test('sizes of requests and zips', async () => {
  const big = Buffer.alloc(52428801, 0x55).toString('base64');
  isError(await post(wire('big', { Code: { ZipFile: big } })), 413, 'RequestEntityTooLargeException',
    'Zipped size must be smaller than 52428800 bytes');
  const huge = await lk.request('POST', '/2015-03-31/functions', Buffer.alloc(70167212, 0x20),
    { 'Content-Type': 'application/json' }).catch((e) => ({ refused: e.code }));
  if (!huge.refused) {
    isError(huge, 413, 'RequestEntityTooLargeException',
      'Request must be smaller than 70167211 bytes for the CreateFunction operation');
  }
});

test('list: order of pages, reduced entries, FunctionVersion=ALL', async () => {
  const account = '111122223333';
  const mine = new LambdaClient({ endpoint: lk.endpoint, region: REGION, maxAttempts: 1,
    credentials: { accessKeyId: account, secretAccessKey: 'any' } });
  const names = ['list-a', 'list-b', 'list-c', 'list-d', 'list-e'];
  assert.deepEqual((await mine.send(new ListFunctionsCommand({}))).Functions, []);
  for (const name of names) {
    await mine.send(new CreateFunctionCommand({ ...input(name), Role: `arn:aws:iam::${account}:role/any` }));
  }
  const found = [];
  let Marker;
  do {
    const page = await mine.send(new ListFunctionsCommand({ MaxItems: 2, Marker }));
    assert.ok(page.Functions.length <= 2);
    found.push(...page.Functions);
    Marker = page.NextMarker || undefined;
  } while (Marker);
  assert.deepEqual(found.map((f) => f.FunctionName).sort(), names);
  for (const f of found) {
    assert.equal(f.FunctionArn, `arn:aws:lambda:${REGION}:${account}:function:${f.FunctionName}`);
    assert.equal(f.Version, '$LATEST');
    for (const absent of ['State', 'StateReason', 'StateReasonCode', 'LastUpdateStatus', 'LastUpdateStatusReason',
      'LastUpdateStatusReasonCode', 'RuntimeVersionConfig']) assert.equal(f[absent], undefined, absent);
  }
  const all = await mine.send(new ListFunctionsCommand({ FunctionVersion: 'ALL' }));
  assert.ok(all.Functions.every((f) => f.FunctionArn.endsWith(':$LATEST')));
  assert.equal((await lk.api('GET', '/2015-03-31/functions/list-a')).status, 404, 'accounts do not see one another');
  mine.destroy();
});

test('account settings', async () => {
  const account = '444455556666';
  const mine = new LambdaClient({ endpoint: lk.endpoint, region: REGION, maxAttempts: 1,
    credentials: { accessKeyId: account, secretAccessKey: 'any' } });
  const usage = async () => (await mine.send(new GetAccountSettingsCommand({}))).AccountUsage;
  const { AccountLimit, AccountUsage } = await mine.send(new GetAccountSettingsCommand({}));
  assert.deepEqual({ ...AccountLimit, TotalCodeSize: undefined }, { TotalCodeSize: undefined,
    CodeSizeUnzipped: 262144000, CodeSizeZipped: 52428800, ConcurrentExecutions: 1000, UnreservedConcurrentExecutions: 1000 });
  assert.ok(AccountLimit.TotalCodeSize >= 80530636800);
  assert.deepEqual(AccountUsage, { TotalCodeSize: 0, FunctionCount: 0 });
  await mine.send(new CreateFunctionCommand(input('one')));
  assert.deepEqual(await usage(), { TotalCodeSize: ECHO.length, FunctionCount: 1 });
  await mine.send(new DeleteFunctionCommand({ FunctionName: 'one' }));
  assert.deepEqual(await usage(), { TotalCodeSize: 0, FunctionCount: 0 });
  mine.destroy();
});

test('delete', async () => {
  await lk.create('gone', ECHO);
  await lk.call('gone', 1);
  isError(await lk.api('DELETE', '/2015-03-31/functions/gone?Qualifier=%24LATEST'), 400, 'InvalidParameterValueException',
    '$LATEST version cannot be deleted without deleting the function.');
  assert.equal((await lk.api('DELETE', '/2015-03-31/functions/gone?Qualifier=7')).status, 204);
  const answer = await lk.api('DELETE', '/2015-03-31/functions/gone');
  assert.equal(answer.status, 204);
  assert.equal(answer.text, '');
  isError(await lk.api('DELETE', '/2015-03-31/functions/gone'), 404, 'ResourceNotFoundException',
    `Function not found: ${arn('gone')}`);
  isError(await lk.api('DELETE', '/2015-03-31/functions/gone?Qualifier=7'), 404, 'ResourceNotFoundException',
    `Function not found: ${arn('gone')}`);
  isError(await lk.invoke('gone', {}), 404, 'ResourceNotFoundException', `Function not found: ${arn('gone')}:$LATEST`);
  await lk.create('gone', zip({ 'app.py': 'def handler(e, c):\n    return "again"\n' }));
  assert.equal(await lk.call('gone', 1), 'again');
});

test('not there yet, said clearly', async () => {
  for (const [method, path, body] of [['GET', '/2015-03-31/event-source-mappings/'], ['GET', '/2025-11-30/capacity-providers'],
    ['GET', '/2015-03-31/event-source-mappings/?MaxItems=1']]) {
    const answer = await lk.api(method, path, body);
    assert.ok(answer.status >= 400 && answer.status !== 404, `${method} ${path}: ${answer.status}`);
    assert.match(answer.text, /not implemented/i, `${method} ${path}`);
  }
  assert.equal((await lk.api('GET', '/2015-03-31/nonsense')).status, 404);
  assert.ok([404, 405].includes((await lk.api('PATCH', '/2015-03-31/functions')).status));
});

test('SDK errors carry AWS\'s names', async () => {
  await assert.rejects(sdk.send(new GetFunctionCommand({ FunctionName: 'nobody' })), (e) => e.name === 'ResourceNotFoundException'
    && e.$metadata.httpStatusCode === 404 && e.message === `Function not found: ${arn('nobody')}` && e.Type === 'User');
  await assert.rejects(sdk.send(new InvokeCommand({ FunctionName: 'nobody' })),
    (e) => e.name === 'ResourceNotFoundException');
  await assert.rejects(sdk.send(new CreateFunctionCommand(input('sdk', { Code: { ZipFile: Buffer.from('zip?') } }))),
    (e) => e.name === 'InvalidParameterValueException'
      && e.message === 'Could not unzip uploaded file. Please check your file, then try to upload again.');
});
