/* AWS's SDKs inside functions: from a layer, unchanged, against the AWS_ENDPOINT_URL and the credentials that a function has. */
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test, before, after } = require('node:test');
const { Lambkin, ACCOUNT } = require('./lib/lambkin');

const DEBIAN = '/usr/lib/python3/dist-packages';
const skip = fs.existsSync(`${DEBIAN}/boto3`) || process.env.LK_MUST_RUN === '1' ? false : 'boto3 is missing (apt-get install python3-boto3)';
let lk;

before(async () => {
  lk = await Lambkin.start();
  await lk.create('callee', { 'app.py': 'def handler(e, c):\n    if e == "fail": raise ValueError("no")\n    return ["called with", e]\n' });
});
after(() => lk.stop());

/* {path below `prefix`: bytes} of what lies in `from` and is wanted */
function collect(from, prefix, wanted) {
  const files = {};
  for (const name of fs.readdirSync(from, { recursive: true })) {
    if (wanted(name) && fs.statSync(path.join(from, name)).isFile()) files[`${prefix}/${name}`] = fs.readFileSync(path.join(from, name));
  }
  return files;
}

/* What each function answers: of a call, of one that fails, of one to nobody; where it wrote a line; who it is. */
function check(name, answer) {
  assert.deepEqual(answer.good, ['called with', { from: name }]);
  assert.deepEqual([answer.failed.kind, answer.failed.type], ['Unhandled', 'ValueError']);
  assert.equal(answer.nobody, 'ResourceNotFoundException');
  assert.deepEqual(answer.lines, [`written by ${name}`]);
  assert.equal(answer.arn, `arn:aws:sts::${ACCOUNT}:assumed-role/any/${name}`);
}

test('@aws-sdk for JavaScript', async () => {
  const modules = path.join(__dirname, 'node_modules');
  const arn = await lk.layer('js', collect(modules, 'nodejs/node_modules', (file) => /\.(c?js|json)$/.test(file)
    && !/\/dist-(es|types)\/|client-iam/.test(file)));
  await lk.create('js', {
    'index.js': `
      const { LambdaClient, InvokeCommand, GetFunctionCommand } = require('@aws-sdk/client-lambda');
      const logs = require('@aws-sdk/client-cloudwatch-logs');
      const { STSClient, GetCallerIdentityCommand } = require('@aws-sdk/client-sts');
      const lambda = new LambdaClient({});
      const invoke = async (event) => {
        const answer = await lambda.send(new InvokeCommand({ FunctionName: 'callee', Payload: JSON.stringify(event) }));
        return { kind: answer.FunctionError, value: JSON.parse(Buffer.from(answer.Payload)) };
      };
      exports.handler = async () => {
        const writer = new logs.CloudWatchLogsClient({});
        const at = { logGroupName: '/mine/js', logStreamName: 'one' };
        await writer.send(new logs.CreateLogGroupCommand(at));
        await writer.send(new logs.CreateLogStreamCommand(at));
        await writer.send(new logs.PutLogEventsCommand({ ...at, logEvents: [{ timestamp: Date.now(), message: 'written by js' }] }));
        const failed = await invoke('fail');
        return {
          good: (await invoke({ from: 'js' })).value,
          failed: { kind: failed.kind, type: failed.value.errorType },
          nobody: await lambda.send(new GetFunctionCommand({ FunctionName: 'nobody' })).catch((e) => e.name),
          lines: (await writer.send(new logs.GetLogEventsCommand(at))).events.map((e) => e.message),
          arn: (await new STSClient({}).send(new GetCallerIdentityCommand({}))).Arn,
        };
      };`,
  }, { runtime: 'nodejs20.x', handler: 'index.handler', Layers: [arn], Timeout: 30, MemorySize: 512 });
  check('js', await lk.call('js', {}));
});

test('boto3', { skip }, async () => {
  const packages = ['boto3', 'botocore', 's3transfer', 'jmespath', 'dateutil', 'urllib3', 'six.py',
    'requests', 'chardet', 'charset_normalizer', 'idna', 'certifi'];
  const services = /^botocore\/data\/(?!lambda\/|logs\/|sts\/|[^/]*$)/; // of 300 services only those
  const arn = await lk.layer('py', collect(DEBIAN, 'python', (file) => packages.includes(file.split('/')[0]) && !services.test(file)
    && !file.includes('__pycache__')));
  await lk.create('py', {
    'app.py': `
import boto3, botocore, json, os, time

# Only from 1.31 on botocore reads AWS_ENDPOINT_URL; Debian 12's is older.
old = [int(n) for n in botocore.__version__.split(".")[:2]] < [1, 31]
where = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"]} if old else {}
functions, logs, sts = (boto3.client(name, **where) for name in ("lambda", "logs", "sts"))

def invoke(event):
    answer = functions.invoke(FunctionName="callee", Payload=json.dumps(event))
    return answer.get("FunctionError"), json.load(answer["Payload"])

def handler(event, context):
    at = {"logGroupName": "/mine/py", "logStreamName": "one"}
    logs.create_log_group(logGroupName="/mine/py")
    logs.create_log_stream(**at)
    logs.put_log_events(**at, logEvents=[{"timestamp": int(time.time() * 1000), "message": "written by py"}])
    kind, document = invoke("fail")
    try:
        functions.get_function(FunctionName="nobody")
    except functions.exceptions.ResourceNotFoundException as error:
        nobody = error.response["Error"]["Code"]
    return {"good": invoke({"from": "py"})[1], "failed": {"kind": kind, "type": document["errorType"]}, "nobody": nobody,
            "lines": [e["message"] for e in logs.get_log_events(**at)["events"]], "arn": sts.get_caller_identity()["Arn"]}
`,
  }, { Layers: [arn], Timeout: 30, MemorySize: 512 });
  check('py', await lk.call('py', {}));
});
