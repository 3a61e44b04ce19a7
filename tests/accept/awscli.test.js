/* The AWS CLI as Debian ships it. */
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { test, before, after } = require('node:test');
const { Lambkin, REGION, cleanEnv, sha256, zip } = require('./lib/lambkin');

const AWS = process.env.LK_AWS || '/usr/bin/aws';
const skip = fs.existsSync(AWS) ? false : `${AWS} is missing (apt-get install awscli)`;
if (skip && process.env.LK_MUST_RUN === '1') throw new Error(skip);
const CODE = zip({ 'app.py': 'def handler(event, context):\n    print("seen", event)\n    if event == "fail": raise ValueError("no")\n    return event\n' });
let lk;
let endpoint; /* through this process, which checks the answers (lib/model.js) */
let dir;
before(async () => {
  if (skip) return;
  lk = await Lambkin.start();
  endpoint = await lk.proxied();
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'lambkin-aws-'));
  fs.writeFileSync(path.join(dir, 'code.zip'), CODE);
});
after(async () => {
  if (skip) return;
  fs.rmSync(dir, { recursive: true });
  await lk.stop();
});

function aws(...args) {
  return new Promise((done) => {
    execFile(AWS, ['--endpoint-url', endpoint, '--region', REGION, '--no-cli-pager', '--output', 'json', ...args], {
      env: cleanEnv({ AWS_ACCESS_KEY_ID: 'any', AWS_SECRET_ACCESS_KEY: 'any', HOME: dir, AWS_EC2_METADATA_DISABLED: 'true' }), cwd: dir,
    }, (error, stdout, stderr) => {
      let json;
      try {
        json = JSON.parse(stdout);
      } catch {
        json = undefined;
      }
      done({ code: error ? error.code : 0, stdout, stderr, json });
    });
  });
}

test('create, wait, invoke, tail, get, list, update, delete', { skip }, async () => {
  const made = await aws('lambda', 'create-function', '--function-name', 'cli', '--runtime', 'python3.11', '--handler', 'app.handler',
    '--role', 'arn:aws:iam::000000000000:role/any', '--zip-file', 'fileb://code.zip', '--environment', 'Variables={A1=b}');
  assert.equal(made.code, 0, made.stderr);
  assert.equal(made.json.State, 'Pending');
  assert.equal(made.json.CodeSha256, sha256(CODE).digest('base64'));
  assert.equal((await aws('lambda', 'wait', 'function-active-v2', '--function-name', 'cli')).code, 0);
  const ran = await aws('lambda', 'invoke', '--function-name', 'cli', '--payload', '{"a": "ü"}', '--cli-binary-format', 'raw-in-base64-out',
    '--log-type', 'Tail', 'out.json');
  assert.equal(ran.code, 0, ran.stderr);
  assert.deepEqual([ran.json.StatusCode, ran.json.ExecutedVersion, ran.json.FunctionError], [200, '$LATEST', undefined]);
  assert.match(Buffer.from(ran.json.LogResult, 'base64').toString(), /^START RequestId: .*seen \{'a': 'ü'\}\n.*REPORT/s);
  assert.deepEqual(JSON.parse(fs.readFileSync(path.join(dir, 'out.json'))), { a: 'ü' });
  const failed = await aws('lambda', 'invoke', '--function-name', 'cli', '--payload', '"fail"', '--cli-binary-format', 'raw-in-base64-out', 'out.json');
  assert.deepEqual([failed.code, failed.json.FunctionError], [0, 'Unhandled']);
  const got = await aws('lambda', 'get-function', '--function-name', 'cli');
  assert.deepEqual(got.json.Configuration.Environment, { Variables: { A1: 'b' } });
  assert.deepEqual(Buffer.from(await (await fetch(got.json.Code.Location)).arrayBuffer()), CODE);
  assert.deepEqual((await aws('lambda', 'list-functions')).json.Functions.map((f) => f.FunctionName), ['cli']);
  const update = await aws('lambda', 'update-function-configuration', '--function-name', 'cli', '--timeout', '5');
  assert.equal(update.json.Timeout, 5, update.stderr);
  assert.equal((await aws('lambda', 'wait', 'function-updated-v2', '--function-name', 'cli')).code, 0);
  const code = await aws('lambda', 'update-function-code', '--function-name', 'cli', '--zip-file', 'fileb://code.zip');
  assert.equal(code.json.LastUpdateStatus, 'InProgress', code.stderr);
  assert.equal((await aws('lambda', 'get-account-settings')).json.AccountUsage.FunctionCount, 1);
  const dry = await aws('lambda', 'invoke', '--function-name', 'cli', '--invocation-type', 'DryRun', 'out.json');
  assert.equal(dry.json.StatusCode, 204, dry.stderr);
  const groups = await aws('logs', 'describe-log-groups');
  assert.deepEqual(groups.json.logGroups.map((g) => g.logGroupName), ['/aws/lambda/cli']);
  const tail = await aws('logs', 'filter-log-events', '--log-group-name', '/aws/lambda/cli', '--filter-pattern', 'seen');
  assert.equal(tail.json.events.length, 2);
  assert.equal((await aws('lambda', 'delete-function', '--function-name', 'cli')).code, 0);
  const gone = await aws('lambda', 'get-function', '--function-name', 'cli');
  assert.match(gone.stderr, /An error occurred \(ResourceNotFoundException\) when calling the GetFunction operation: Function not found: arn:aws:lambda:us-east-1:000000000000:function:cli/);
});

test('errors', { skip }, async () => {
  const create = (...more) => aws('lambda', 'create-function', '--function-name', 'bad', '--runtime', 'python3.11', '--handler', 'app.handler',
    '--role', 'arn:aws:iam::000000000000:role/any', '--zip-file', 'fileb://code.zip', ...more);
  assert.match((await create('--role', 'nobody')).stderr, /\(ValidationException\) .*1 validation error detected: Value 'nobody' at 'role'/s);
  assert.match((await create('--runtime', 'python9')).stderr, /\(InvalidParameterValueException\) .*Value python9 at 'runtime'/s);
  fs.writeFileSync(path.join(dir, 'bad.zip'), zip([{ name: 'app.py', data: 'x', crc: 1 }])); /* the CLI looks at it, too */
  assert.match((await create('--zip-file', 'fileb://bad.zip')).stderr, /\(InvalidParameterValueException\) .*Could not unzip uploaded file/s);
  assert.match((await aws('lambda', 'list-event-source-mappings', '--function-name', 'x')).stderr, /not implemented/i);
});
