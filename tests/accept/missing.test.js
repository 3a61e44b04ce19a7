/* What is not there, for every operation that names something: AWS's error and text (controlplane.md facts 16-18, 53, 58, 75,
 * 84, 87, 91, 95-97), or the quiet success of a deletion. */
'use strict';
const assert = require('node:assert/strict');
const { test, before, after } = require('node:test');
const { Lambkin, ACCOUNT, REGION, UUID, zip } = require('./lib/lambkin');
const model = require('./lib/model');
const { Generator, request } = require('./lib/badinput');

const lambda = model.load().find((s) => s.name === 'lambda');
const generator = new Generator(lambda);
const ARN = `arn:aws:lambda:${REGION}:${ACCOUNT}:function:nobody`;
let lk;
before(async () => {
  lk = await Lambkin.start();
});
after(async () => {
  await lk.stop();
});

/* The text for a function that is not there; others say "Function not found: ARN". */
const LATEST = `Function not found: ${ARN}:$LATEST`;
const NO_RESOURCE = 'The resource you requested does not exist.';
const NO_INVOKE_CONFIG = `The function ${ARN}:$LATEST doesn't have an EventInvokeConfig`;
const NO_LAYER = `Layer version arn:aws:lambda:${REGION}:${ACCOUNT}:layer:victim:1 does not exist.`;
const SIGNING = `arn:aws:lambda:${REGION}:${ACCOUNT}:code-signing-config:csc-0123456789abcdef0`;
const NO_SIGNING = `The Lambda code signing configuration ${SIGNING} can not be found.`;
const TEXTS = {
  Invoke: LATEST, InvokeWithResponseStream: LATEST, PutFunctionConcurrency: LATEST, GetFunctionScalingConfig: `Function not found: ${ARN}:1`, PutFunctionScalingConfig: `Function not found: ${ARN}:1`,
  GetAlias: `Cannot find alias arn: ${ARN}:victim`, CreateFunctionUrlConfig: 'Function does not exist', UpdateFunctionUrlConfig: 'Function does not exist',
  ListFunctionUrlConfigs: 'Function does not exist', GetFunctionUrlConfig: NO_RESOURCE, DeleteFunctionUrlConfig: NO_RESOURCE,
  GetFunctionEventInvokeConfig: NO_INVOKE_CONFIG, DeleteFunctionEventInvokeConfig: NO_INVOKE_CONFIG, PutFunctionEventInvokeConfig: "The function doesn't exist.",
  UpdateFunctionEventInvokeConfig: "The function doesn't exist.", ListFunctionEventInvokeConfigs: "The function doesn't exist.",
  CreateAlias: `Function not found: ${ARN}:1`, GetEventSourceMapping: NO_RESOURCE, UpdateEventSourceMapping: NO_RESOURCE,
  DeleteEventSourceMapping: NO_RESOURCE,
  RemovePermission: `No policy found for: ${ARN}`, AddLayerVersionPermission: NO_LAYER, GetLayerVersionPolicy: NO_LAYER, RemoveLayerVersionPermission: NO_LAYER,
  GetLayerVersion: NO_RESOURCE, GetLayerVersionByArn: NO_RESOURCE, GetCodeSigningConfig: NO_SIGNING, UpdateCodeSigningConfig: NO_SIGNING,
  DeleteCodeSigningConfig: NO_SIGNING, ListFunctionsByCodeSigningConfig: NO_SIGNING, GetProvisionedConcurrencyConfig: `Cannot find alias arn: ${ARN}:victim`,
  PutProvisionedConcurrencyConfig: `Cannot find alias arn: ${ARN}:victim`, DeleteProvisionedConcurrencyConfig: `Cannot find alias arn: ${ARN}:victim`,
};
/* These have a code of their own. */
const CODES = { PutFunctionCodeSigningConfig: ['CodeSigningConfigNotFoundException',
  `The code signing configuration cannot be found. Check that the provided configuration is not deleted: ${SIGNING}.`] };
/* These find nothing, and that is no error. */
const QUIET = { DeleteLayerVersion: 204, ListLayerVersions: 200 };
/* What they need beyond the required members to get as far as looking. */
const MORE = { PutFunctionEventInvokeConfig: { MaximumRetryAttempts: 1 }, UpdateFunctionEventInvokeConfig: { MaximumRetryAttempts: 1 },
  UpdateFunctionCode: { ZipFile: zip({ a: 'b' }).toString('base64') } };
/* These name nothing that could be missing, or make it. */
const MAKERS = ['CreateFunction', 'CreateCodeSigningConfig', 'CreateEventSourceMapping', 'PublishLayerVersion', 'GetAccountSettings',
  'ListCodeSigningConfigs', 'ListFunctions', 'ListLayers'];

async function ask(op, labels = {}, more = MORE[op.name]) {
  const parts = generator.valid(op);
  if (more) parts.body = { ...parts.body, ...more };
  for (const label of Object.keys(parts.labels)) {
    if (/FunctionName/.test(label)) parts.labels[label] = 'nobody';
    if (label === 'Resource') parts.labels[label] = ARN;
    if (labels[label]) parts.labels[label] = labels[label];
  }
  const { method, where, headers, body } = request(lambda, op, parts);
  return lk.request(method, where, body, { Authorization: lk.authorization(), 'Content-Type': 'application/json', ...headers });
}

test('a function, layer or configuration that is not there, for every operation', async () => {
  let looked = 0;
  for (const op of Object.values(lambda.operations).filter((o) => !MAKERS.includes(o.name))) {
    const answer = await ask(op);
    const where = `${op.name}: ${answer.status} ${answer.text}`;
    if (answer.status === 501) continue;
    looked++;
    if (QUIET[op.name]) {
      assert.equal(answer.status, QUIET[op.name], where);
      continue;
    }
    const [code, text] = CODES[op.name] || ['ResourceNotFoundException', TEXTS[op.name] || `Function not found: ${ARN}`];
    assert.equal(answer.status, 404, where);
    assert.equal(answer.headers['x-amzn-errortype'], code, where);
    assert.equal(answer.json.Message, text, where);
    assert.match(answer.headers['x-amzn-requestid'], UUID);
  }
  assert.ok(looked >= 40, `only ${looked} operations`);
});

test('a function without what is asked for', async () => {
  await lk.create('bare', zip({ 'app.py': 'def handler(event, context):\n    return event\n' }));
  const arn = ARN.replace(/nobody$/, 'bare');
  for (const [name, status, text] of [['GetPolicy', 404, NO_RESOURCE], ['RemovePermission', 404, 'No policy is associated with the given resource.'],
    ['GetAlias', 404, `Cannot find alias arn: ${arn}:victim`], ['UpdateAlias', 404, `Alias not found: ${arn}:victim`], ['DeleteAlias', 204],
    ['GetFunctionUrlConfig', 404, NO_RESOURCE], ['DeleteFunctionUrlConfig', 404, NO_RESOURCE], ['UpdateFunctionUrlConfig', 404],
    ['GetFunctionEventInvokeConfig', 404, `The function ${arn}:$LATEST doesn't have an EventInvokeConfig`],
    ['DeleteFunctionEventInvokeConfig', 404, `The function ${arn}:$LATEST doesn't have an EventInvokeConfig`],
    ['GetFunctionConcurrency', 200], ['DeleteFunctionConcurrency', 204], ['GetFunctionCodeSigningConfig', 200], ['DeleteFunctionCodeSigningConfig', 204],
    ['ListAliases', 200], ['ListFunctionUrlConfigs', 200], ['ListFunctionEventInvokeConfigs', 200]]) {
    const answer = await ask(lambda.operations[name], { FunctionName: 'bare' });
    assert.equal(answer.status, status, `${name}: ${answer.text}`);
    if (text) assert.equal(answer.json.Message, text, name);
  }
});
