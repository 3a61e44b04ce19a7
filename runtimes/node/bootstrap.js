'use strict';
/* Runtime client of the managed runtimes nodejsNN.x: loads the handler, then for ever takes an event, calls the handler,
 * sends the result. A response and the request for the next event leave in one write. */
const { Api, die } = require('./lambkin/api');
const { defineGlobal, loadHandler } = require('./lambkin/handler');
const { patchConsole, setInvocation, logError, errorDocument, fault } = require('./lambkin/log');
const { isParked, waitParked } = require('./lambkin/parked');

const { env } = process;
let CALLBACKS; // as the runtime that the function asked for, whatever runs it
const NEVER_SETTLED = 'The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise '
  + 'that was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes';

let api;
let handler; // see loadHandler()
let current = null; // the invocation in progress or, until the next event, the last one
let whenEmpty = () => process.exit(13); // nothing is left to do: what then? While loading: as node itself ends such a module

/* ---- the end of an invocation: the first one wins ---- */

function poll() {
  whenEmpty = null;
  api.hold(true);
  api.send([api.poll, onEvent]);
}

/* No other status matters: the invoker has what there is to have. */
function onAnswer(status) {
  if (status === 500) die('the Runtime API has failed');
}

function finish(what, body) {
  current.done = true;
  whenEmpty = null;
  api.hold(true);
  api.send([api.post(`/invocation/${current.id}/${what}`, body), onAnswer], [api.poll, onEvent]);
}

function fail(invocation, error) {
  if (invocation.done) return;
  logError('Invoke Error', error);
  finish('error', JSON.stringify(errorDocument(error)));
}

function succeed(invocation, result) {
  if (invocation.done) return;
  let body;
  try {
    body = JSON.stringify(result);
  } catch {
    fail(invocation, new Error('Unable to stringify response body'));
    return;
  }
  finish('response', body === undefined ? 'null' : body);
}

/* ---- one invocation ---- */

function jsonHeader(headers, name, title) {
  const text = headers[name];
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch (error) {
    throw new Error(`Cannot parse ${title} as json: ${error}`);
  }
}

function makeContext(headers, invocation) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: jsonHeader(headers, 'lambda-runtime-client-context', 'ClientContext'),
    identity: jsonHeader(headers, 'lambda-runtime-cognito-identity', 'CognitoIdentity'),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: invocation.id,
    tenantId: headers['lambda-runtime-aws-tenant-id'],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  if (CALLBACKS && !handler.streaming) {
    context.done = (error, result) => once(invocation, () => (error === undefined || error === null
      ? succeed(invocation, result) : fail(invocation, error)));
    context.succeed = (result) => once(invocation, () => succeed(invocation, result));
    context.fail = (error) => once(invocation, () => fail(invocation, error));
  }
  return context;
}

/* Of callback, context.* and the handler's promise. */
function once(invocation, complete) {
  if (invocation.completed || invocation.done) return;
  invocation.completed = true;
  complete();
}

function callBuffered(invocation, event, context) {
  const callback = (error, result) => once(invocation, () => {
    if (error !== undefined && error !== null) fail(invocation, error);
    else if (!context.callbackWaitsForEmptyEventLoop) succeed(invocation, result);
    else whenEmpty = () => succeed(invocation, result);
  });
  whenEmpty = () => {
    invocation.completed = true;
    if (handler.isAsync || !CALLBACKS) fail(invocation, fault('NodeJsExit', NEVER_SETTLED));
    else succeed(invocation, null);
  };
  const result = CALLBACKS ? handler.call(event, context, callback) : handler.call(event, context);
  const settle = (complete) => (value) => once(invocation, () => complete(invocation, value));
  if (result && typeof result.then === 'function') result.then(settle(succeed), settle(fail));
  else if (!CALLBACKS) settle(succeed)(result);
}

async function callStreaming(invocation, event, context) {
  const { ResponseStream } = require('./lambkin/stream');
  const stream = new ResponseStream(api, invocation.id, onAnswer, handler.highWaterMark);
  const broken = (error) => {
    if (invocation.done) return;
    if (!stream.isBegun) {
      stream.destroy();
      fail(invocation, error);
      return;
    }
    logError('Invoke Error', error);
    stream.fail(error);
    invocation.done = true;
    poll();
  };
  whenEmpty = () => broken(fault('NodeJsExit', NEVER_SETTLED));
  invocation.stream = stream;
  try {
    const promise = handler.call(event, stream, context);
    if (!promise || typeof promise.then !== 'function') throw new Error('Streaming does not support non-async handlers.');
    if (await promise !== undefined) console.warn('Streaming handlers ignore return values.');
    whenEmpty = () => broken(new Error('Response stream is not finished.'));
    if (!stream.writableFinished) await new Promise((done) => { stream.once('finish', done); }); // something else may still write
  } catch (error) {
    broken(error);
    return;
  }
  if (invocation.done) return;
  invocation.done = true;
  if (context.callbackWaitsForEmptyEventLoop && CALLBACKS) whenEmpty = poll;
  else poll();
}

function onEvent(status, headers, body) {
  if (status !== 200) die(`the Runtime API answered ${status} when asked for the next event`);
  const invocation = { id: headers['lambda-runtime-aws-request-id'], completed: false, done: false };
  current = invocation;
  api.hold(false);
  setInvocation(invocation.id, headers['lambda-runtime-aws-tenant-id']);
  const trace = headers['lambda-runtime-trace-id'];
  if (trace) env._X_AMZN_TRACE_ID = trace;
  else delete env._X_AMZN_TRACE_ID;
  try {
    const context = makeContext(headers, invocation);
    const event = JSON.parse(body.toString());
    if (handler.streaming) callStreaming(invocation, event, context);
    else callBuffered(invocation, event, context);
  } catch (error) {
    once(invocation, () => fail(invocation, error));
  }
}

/* ---- the end of the process ---- */

/* Says why to whoever waits, then exits. */
function exit(kind, error, code) {
  logError(kind, error);
  const body = JSON.stringify(errorDocument(error));
  const leave = () => process.exit(code);
  if (current && current.done) leave();
  whenEmpty = null;
  api.hold(true);
  if (!current) {
    const type = String(errorDocument(error).errorType).replace(/[^\x20-\x7e]/g, '?');
    api.send([api.post('/init/error', body, `Lambda-Runtime-Function-Error-Type: ${type}\r\n`), leave]);
  } else if (current.stream && current.stream.isBegun) {
    current.stream.fail(error); // its trailers say it
    if (!api.expect(leave)) leave();
  } else {
    api.send([api.post(`/invocation/${current.id}/error`, body), leave]);
  }
  if (current) current.done = true;
}

/* Plays an invocation before there is a function (rehearsal.js). */
async function rehearse() {
  const { Platform, forget } = require('./lambkin/rehearsal');
  const platform = await Platform.open();
  const over = whenEmpty;
  CALLBACKS = true;
  api = new Api(platform.address);
  handler = await loadHandler(`${__dirname}/lambkin`, 'rehearsed.handler');
  await new Promise((done) => {
    api.lost = done;
    poll();
  });
  await platform.close();
  await import('./lambkin/rehearsed.mjs');
  forget('rehearsed.js', 'rehearsal.js');
  current = null;
  whenEmpty = over;
}

async function main() {
  if (isParked()) {
    await rehearse();
    waitParked();
  }
  const [, major] = /_nodejs(\d+)/.exec(env.AWS_EXECUTION_ENV) || /^v(\d+)/.exec(process.version);
  CALLBACKS = Number(major) < 24;
  patchConsole();
  defineGlobal();
  process.on('beforeExit', () => whenEmpty && whenEmpty());
  process.on('uncaughtException', (error) => exit('Uncaught Exception', error, 129));
  process.on('unhandledRejection', (reason, promise) => {
    let text = 'unprintable';
    try {
      text = String(reason);
    } catch {} // eslint-disable-line no-empty
    exit('Unhandled Promise Rejection', Object.assign(fault('UnhandledPromiseRejection', text), { reason, promise }), 128);
  });
  api = new Api(env.AWS_LAMBDA_RUNTIME_API);
  api.hold(false);
  try {
    handler = await loadHandler(env.LAMBDA_TASK_ROOT || '/var/task', env._HANDLER || '');
    if (!CALLBACKS && handler.takesCallback) {
      throw fault('CallbackHandlerDeprecated', 'Handlers that take a callback are not supported from Node.js 24 on. Make the handler an '
        + 'async function.');
    }
  } catch (error) {
    exit('Uncaught Exception', error, 129);
    return;
  }
  if (handler.takesCallback && env.AWS_LAMBDA_NODEJS_DISABLE_CALLBACK_WARNING === undefined) {
    console.warn('Handlers that take a callback are not supported from Node.js 24 on: make this one an async function. To hide this '
      + 'line, set the environment variable AWS_LAMBDA_NODEJS_DISABLE_CALLBACK_WARNING.');
  }
  poll();
}

main();
