'use strict';
/* Runtime client of the managed runtimes nodejsNN.x.
 *
 * Loads the handler, then for ever: takes an event, calls the handler, sends the result. One socket, HTTP written by hand;
 * a response and the request for the next event leave in one write. */
const fs = require('fs');
const net = require('net');
const path = require('path');

const API = process.env.AWS_LAMBDA_RUNTIME_API;
const BASE = '/2018-06-01/runtime';
const TASK_ROOT = process.env.LAMBDA_TASK_ROOT || '/var/task';
const HANDLER = process.env._HANDLER || '';
const AS_JSON = process.env.AWS_LAMBDA_LOG_FORMAT === 'JSON';
const MAJOR = Number((/nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV || '') || [])[1] || process.versions.node.split('.')[0]);
const LEVELS = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };
const LEAST = AS_JSON ? LEVELS[(process.env.AWS_LAMBDA_LOG_LEVEL || '').toUpperCase()] || 0 : 0;
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');

let requestId; // of the invocation in progress; undefined during init
let tenantId;

/* ---- logs ---- */

const logFd = (() => {
  const fd = Number(process.env._LAMBDA_TELEMETRY_LOG_FD || NaN);
  delete process.env._LAMBDA_TELEMETRY_LOG_FD;
  try {
    fs.fstatSync(fd);
    return fd;
  } catch {
    return undefined;
  }
})();

function writeAll(fd, data) {
  for (let at = 0; at < data.length;) {
    try {
      at += fs.writeSync(fd, data, at);
    } catch (err) {
      if (err.code !== 'EAGAIN') return; // the pipe is full only for a moment; nobody is left if it is broken
    }
  }
}

/* One event, whatever line ends are in it: in a frame, or on standard output with the inner ones as \r. */
function emit(text, level, asText) {
  if (logFd === undefined) {
    writeAll(1, Buffer.from(`${text.replace(/\n$/, '').replace(/\n/g, '\r')}\n`));
    return;
  }
  const data = Buffer.from(text);
  const frame = Buffer.allocUnsafe(16 + data.length);
  frame.writeUInt32BE((0xa55a0000 + (LEVELS[level] << 2) + 2 + (asText ? 1 : 0)) >>> 0, 0);
  frame.writeUInt32BE(data.length, 4);
  frame.writeBigUInt64BE(BigInt(Date.now()) * 1000n, 8);
  data.copy(frame, 16);
  writeAll(logFd, frame);
}

const isError = (e) => e instanceof Error || Object.prototype.toString.call(e) === '[object Error]';

function errorFields(error) {
  return { errorType: error.name || typeof error, errorMessage: error.message, stackTrace: String(error.stack || '').split('\n') };
}

function jsonLine(level, args) {
  const util = require('util');
  const line = { timestamp: new Date().toISOString(), level, requestId };
  if (tenantId) line.tenantId = tenantId;
  const safe = (_, v) => (isError(v) ? errorFields(v) : typeof v === 'bigint' ? String(v) : v);
  if (args.length === 1) {
    [line.message] = args;
    try {
      return JSON.stringify(line, safe);
    } catch {
      line.message = util.format(...args);
      return JSON.stringify(line);
    }
  }
  line.message = util.format(...args);
  const first = args.find(isError);
  if (first) Object.assign(line, errorFields(first));
  return JSON.stringify(line);
}

function log(level, args) {
  if (LEVELS[level] < LEAST) return;
  if (AS_JSON) {
    emit(`${jsonLine(level, args)}\n`, level, false);
  } else {
    const message = args.length === 1 && typeof args[0] === 'string' ? args[0] : require('util').format(...args);
    emit(`${new Date().toISOString()}\t${requestId}\t${level}\t${message}\n`, level, true);
  }
}

for (const [name, level] of [['log', 'INFO'], ['info', 'INFO'], ['debug', 'DEBUG'], ['warn', 'WARN'], ['error', 'ERROR'],
  ['trace', 'TRACE'], ['fatal', 'FATAL']]) {
  console[name] = (...args) => log(level, args);
}

/* ---- errors ---- */

function named(name, message) {
  const error = new Error(message);
  error.name = name;
  return error;
}

const clean = (text) => String(text).replace(/\x7f/g, '%7F');

/* {"errorType","errorMessage","trace"}: what the invoker sees. */
function errorDocument(error) {
  if (isError(error)) {
    return JSON.stringify({ errorType: clean(error.name), errorMessage: clean(error.message),
      trace: clean(error.stack || '').split('\n') });
  }
  if (error === undefined || error === null || error === '') return JSON.stringify({ errorType: 'handled', errorMessage: 'handled', trace: [] });
  let text;
  try {
    text = typeof error === 'object' ? JSON.stringify(error) : String(error);
  } catch {
    text = String(error);
  }
  return JSON.stringify({ errorType: typeof error, errorMessage: clean(text), trace: [] });
}

function logError(kind, error) {
  if (AS_JSON) {
    log('ERROR', [error]);
    return;
  }
  let text;
  if (isError(error)) {
    text = JSON.stringify({ errorType: error.name || 'UnknownError', errorMessage: error.message || 'Unknown Error',
      ...(error.code !== undefined && { code: error.code }), ...error, name: undefined,
      stack: String(error.stack || '').split('\n') }, (_, v) => (typeof v === 'bigint' ? String(v) : v));
  } else {
    text = errorDocument(error);
  }
  log('ERROR', [`${kind}\t${text}`]);
}

/* ---- the Runtime API ---- */

const head = `Host: ${API}\r\nUser-Agent: aws-lambda-nodejs/${process.version}-lambkin\r\n`;
const POLL = `GET ${BASE}/invocation/next HTTP/1.1\r\n${head}\r\n`;
let socket;
let pending = Buffer.alloc(0); // bytes of an answer that is not complete
let waiting = []; // callbacks for the answers to come, in order

function onData(chunk) {
  pending = pending.length ? Buffer.concat([pending, chunk]) : chunk;
  for (;;) {
    const end = pending.indexOf('\r\n\r\n');
    if (end < 0) return;
    const lines = pending.latin1Slice(0, end).split('\r\n');
    const headers = {};
    for (let i = 1; i < lines.length; i++) {
      const colon = lines[i].indexOf(':');
      headers[lines[i].slice(0, colon).toLowerCase()] = lines[i].slice(colon + 1).trim();
    }
    const total = end + 4 + Number(headers['content-length'] || 0);
    if (pending.length < total) {
      if (total - pending.length > 65536) collectLarge(total);
      return;
    }
    const body = pending.subarray(end + 4, total);
    pending = pending.subarray(total);
    const status = Number(lines[0].split(' ')[1]);
    const done = waiting.shift();
    if (done) done(status, headers, body);
  }
}

/* Several megabytes in 64 KB pieces: collected once, not glued together anew with each piece. */
function collectLarge(total) {
  const parts = [pending];
  let have = pending.length;
  socket.removeListener('data', onData);
  socket.on('data', function more(chunk) {
    parts.push(chunk);
    have += chunk.length;
    if (have < total) return;
    socket.removeListener('data', more);
    socket.on('data', onData);
    pending = Buffer.alloc(0);
    onData(Buffer.concat(parts, have));
  });
}

function connect() {
  const colon = API.lastIndexOf(':');
  socket = net.connect({ host: API.slice(0, colon), port: Number(API.slice(colon + 1)), noDelay: true });
  socket.on('data', onData);
  socket.on('error', () => {});
  socket.on('close', () => process.exit(1)); // nobody is left to work for
  socket.unref(); // a function is over when its own work is: see onEmpty
}

/* 2xx or not is not looked at here: the platform has the answer already (dataplane.md 1.4). */
function answered(status) {
  if (status === 500) process.exit(1);
}

function post(where, body, extra = '') {
  const data = typeof body === 'string' ? Buffer.from(body) : body;
  return [Buffer.from(`POST ${BASE}${where} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: ${data.length}\r\n${extra}${head}\r\n`), data];
}

function takeEvent(status, headers, body) {
  if (status !== 200) process.exit(1);
  run(headers, body);
}

function finish(where, body) {
  waiting.push(answered, takeEvent);
  socket.write(Buffer.concat([...post(where, body), Buffer.from(POLL)]));
}

function latin1ToUtf8(text) {
  return text === undefined ? undefined : Buffer.from(text, 'latin1').toString('utf8');
}

function initError(error, exitCode) {
  logError('Uncaught Exception ', error);
  const kind = isError(error) ? error.name : typeof error;
  waiting.push(() => process.exit(exitCode));
  socket.ref();
  socket.write(Buffer.concat(post('/init/error', errorDocument(error), `Lambda-Runtime-Function-Error-Type: ${kind.replace(/[^\x20-\x7e]/g, '?')}\r\n`)));
}

/* ---- response streaming ---- */

function streamFor(id) {
  const { Writable } = require('stream');
  let contentType = 'application/octet-stream';
  let started = false;
  const begin = () => {
    if (started) return;
    started = true;
    socket.write(`POST ${BASE}/invocation/${id}/response HTTP/1.1\r\n${head}Content-Type: ${contentType}\r\n`
      + 'Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n'
      + 'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n');
  };
  const chunk = (data, done) => {
    begin();
    if (!data.length) return done();
    return socket.write(Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]), () => done());
  };
  const stream = new Writable({
    highWaterMark: 65536,
    write(data, encoding, done) {
      let bytes = data;
      if (typeof data === 'string') bytes = Buffer.from(data, encoding);
      else if (!(data instanceof Uint8Array)) bytes = Buffer.from(JSON.stringify(data));
      chunk(Buffer.from(bytes), done);
    },
    writev: undefined,
    decodeStrings: false,
    objectMode: true,
    final(done) {
      begin();
      done();
    },
  });
  stream.setContentType = (type) => {
    if (started) throw named('Runtime.InvalidStreamingOperation', 'Cannot set content-type, too late.');
    contentType = type;
  };
  stream._onBeforeFirstWrite = undefined;
  stream.isStarted = () => started;
  return stream;
}

function endStream(stream, error) {
  let trailers = '';
  if (error !== undefined) {
    const body = errorDocument(error);
    trailers = `Lambda-Runtime-Function-Error-Type: ${clean(isError(error) ? error.name : typeof error).replace(/[^\x20-\x7e]/g, '?')}\r\n`
      + `Lambda-Runtime-Function-Error-Body: ${Buffer.from(body).toString('base64')}\r\n`;
  }
  waiting.push(answered, takeEvent);
  socket.write(`0\r\n${trailers}\r\n${POLL}`);
}

class HttpResponseStream {
  static from(stream, prelude) {
    stream.setContentType('application/vnd.awslambda.http-integration-response');
    stream.write(Buffer.from(JSON.stringify(prelude)));
    stream.write(Buffer.alloc(8)); // the end of the prelude: eight NUL bytes
    return stream;
  }
}

if (!['1', 'true'].includes(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA || '')) {
  globalThis.awslambda = {
    streamifyResponse(handler, options) {
      handler[STREAMING] = 'response';
      if (options && options.highWaterMark !== undefined) handler[HIGH_WATER_MARK] = options.highWaterMark;
      return handler;
    },
    HttpResponseStream,
  };
}

/* ---- one invocation ---- */

let current; // { id, done, onEmpty }: the first completion wins

function complete(invocation, error, result, failed) {
  if (invocation.done) return;
  if (failed) {
    invocation.done = true;
    logError('Invoke Error ', error);
    finish(`/invocation/${invocation.id}/error`, errorDocument(error));
    return;
  }
  let text;
  try {
    text = JSON.stringify(result === undefined ? null : result);
    if (text === undefined) text = 'null';
  } catch {
    complete(invocation, new Error('Unable to stringify response body'), undefined, true);
    return;
  }
  invocation.done = true;
  finish(`/invocation/${invocation.id}/response`, text);
}

function parseHeader(headers, name) {
  const text = latin1ToUtf8(headers[name]);
  return text ? JSON.parse(text) : undefined;
}

function contextFor(headers, invocation) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const finishWith = (failed) => (value) => complete(invocation, failed ? value : undefined, failed ? undefined : value, failed);
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parseHeader(headers, 'lambda-runtime-client-context'),
    identity: parseHeader(headers, 'lambda-runtime-cognito-identity'),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: invocation.id,
    tenantId: headers['lambda-runtime-aws-tenant-id'],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  if (MAJOR < 24) {
    context.succeed = finishWith(false);
    context.fail = finishWith(true);
    context.done = (error, result) => (error ? context.fail(error) : context.succeed(result));
  }
  return context;
}

/* callback(err, result): errors at once, results when nothing is left to do, unless the function does not care. */
function callbackFor(invocation, context) {
  return (error, result) => {
    if (error !== undefined && error !== null) {
      complete(invocation, error, undefined, true);
    } else if (context.callbackWaitsForEmptyEventLoop) {
      invocation.onEmpty = () => complete(invocation, undefined, result, false);
      socket.unref();
    } else {
      complete(invocation, undefined, result, false);
    }
  };
}

async function runStreaming(handler, event, invocation, context) {
  const stream = streamFor(invocation.id);
  invocation.stream = stream;
  try {
    const promise = handler(event, stream, context);
    if (!promise || typeof promise.then !== 'function') throw new Error('Streaming does not support non-async handlers.');
    const result = await promise;
    if (result !== undefined && result !== null) console.warn('Streaming handlers ignore return values.');
    if (!stream.writableEnded) throw named('Runtime.ResponseStreamError', 'Response stream is not finished.');
    if (!stream.writableFinished) await new Promise((done, fail) => { stream.on('finish', done).on('error', fail); });
    if (invocation.done) return;
    invocation.done = true;
    endStream(stream);
  } catch (error) {
    if (invocation.done) return;
    if (!stream.isStarted()) {
      complete(invocation, error, undefined, true);
      return;
    }
    invocation.done = true;
    logError('Invoke Error ', error);
    endStream(stream, error);
  }
}

function run(headers, body) {
  const invocation = { id: headers['lambda-runtime-aws-request-id'], done: false };
  current = invocation;
  requestId = invocation.id;
  tenantId = headers['lambda-runtime-aws-tenant-id'];
  if (headers['lambda-runtime-trace-id']) process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'];
  else delete process.env._X_AMZN_TRACE_ID;
  invocation.onEmpty = undefined;
  let context;
  let event;
  try {
    context = contextFor(headers, invocation);
    event = JSON.parse(body.toString('utf8'));
  } catch (error) {
    complete(invocation, error, undefined, true);
    return;
  }
  socket.unref(); // from here on only the function's own work keeps the loop alive
  if (userHandler[STREAMING] === 'response') {
    runStreaming(userHandler, event, invocation, context);
    return;
  }
  try {
    const result = MAJOR < 24 ? userHandler(event, context, callbackFor(invocation, context)) : userHandler(event, context);
    if (result && typeof result.then === 'function') {
      invocation.promised = true;
      result.then((value) => complete(invocation, undefined, value, false), (error) => complete(invocation, error, undefined, true));
    } else if (MAJOR >= 24) {
      complete(invocation, undefined, result, false);
    }
  } catch (error) {
    complete(invocation, error, undefined, true);
  }
}

/* The loop is empty. Between invocations that is the normal state: then the poll must keep the process alive. */
process.on('beforeExit', () => {
  const invocation = current;
  if (!socket) return;
  if (invocation && !invocation.done) {
    if (invocation.onEmpty) {
      invocation.onEmpty();
    } else if (invocation.promised || invocation.stream) {
      fail(named('Runtime.NodeJsExit', 'The Lambda runtime client detected an unexpected Node.js exit code. This is most '
        + 'commonly caused by a Promise that was never settled. For more information, see '
        + 'https://nodejs.org/docs/latest/api/process.html#exit-codes'), 'Uncaught Exception ', 0);
      return;
    } else {
      complete(invocation, undefined, null, false);
    }
  }
  socket.ref(); // frozen here until the next event
});

/* Reports an error that ends the process, in whatever phase. */
function fail(error, kind, exitCode) {
  if (!current) {
    logError(kind, error);
    waiting = [() => process.exit(exitCode)];
    socket.ref();
    socket.write(Buffer.concat(post('/init/error', errorDocument(error), `Lambda-Runtime-Function-Error-Type: ${error.name}\r\n`)));
    return;
  }
  logError(kind, error);
  if (current.done) process.exit(exitCode);
  current.done = true;
  waiting = [() => process.exit(exitCode)];
  socket.ref();
  socket.write(Buffer.concat(post(`/invocation/${current.id}/error`, errorDocument(error))));
}

process.on('uncaughtException', (error) => fail(isError(error) ? error : named('Error', String(error)), 'Uncaught Exception ', 129));
process.on('unhandledRejection', (reason) => {
  const error = named('Runtime.UnhandledPromiseRejection', isError(reason) ? reason.toString() : String(reason));
  error.reason = reason;
  fail(error, 'Unhandled Promise Rejection ', 128);
});

/* ---- the handler ---- */

let userHandler;

function isEsModule(file) {
  for (let dir = path.dirname(file); dir !== '/' && path.basename(dir) !== 'node_modules'; dir = path.dirname(dir)) {
    const manifest = path.join(dir, 'package.json');
    if (fs.existsSync(manifest)) {
      try {
        return JSON.parse(fs.readFileSync(manifest, 'utf8')).type === 'module';
      } catch {
        return false;
      }
    }
  }
  return false;
}

async function loadModule(dir, name) {
  const file = path.resolve(TASK_ROOT, dir, name);
  const esm = (p) => import(require('url').pathToFileURL(p).href);
  if (fs.existsSync(file) && fs.statSync(file).isFile()) return require(file);
  if (fs.existsSync(`${file}.js`)) return isEsModule(`${file}.js`) ? esm(`${file}.js`) : require(`${file}.js`);
  if (fs.existsSync(`${file}.mjs`)) return esm(`${file}.mjs`);
  if (fs.existsSync(`${file}.cjs`)) return require(`${file}.cjs`);
  return require(require.resolve(name, { paths: [TASK_ROOT, path.join(TASK_ROOT, dir)] }));
}

async function loadHandler() {
  if (HANDLER.includes('..')) {
    throw named('Runtime.MalformedHandlerName', `'${HANDLER}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const base = path.basename(HANDLER);
  const dir = HANDLER.slice(0, HANDLER.length - base.length);
  const dot = base.indexOf('.');
  if (dot < 0) throw named('Runtime.MalformedHandlerName', 'Bad handler');
  const name = base.slice(0, dot);
  let found;
  try {
    found = await loadModule(dir, name);
  } catch (error) {
    if (error instanceof SyntaxError) {
      const wrapped = named('Runtime.UserCodeSyntaxError', String(error));
      wrapped.stack = error.stack;
      throw wrapped;
    }
    if (error && error.code === 'MODULE_NOT_FOUND') throw named('Runtime.ImportModuleError', String(error));
    throw error;
  }
  const holder = found;
  for (const key of base.slice(dot + 1).split('.')) found = found === undefined || found === null ? undefined : found[key];
  if (found === undefined && holder && holder.default) {
    found = holder.default;
    for (const key of base.slice(dot + 1).split('.')) found = found === undefined || found === null ? undefined : found[key];
  }
  if (!found) throw named('Runtime.HandlerNotFound', `${HANDLER} is undefined or not exported`);
  if (typeof found !== 'function') throw named('Runtime.HandlerNotFound', `${HANDLER} is not a function`);
  if (found[STREAMING] !== undefined && found[STREAMING] !== 'response') {
    throw named('Runtime.MalformedStreamingHandler', 'Only response streaming is supported.');
  }
  return found;
}

async function main() {
  process.argv = [process.argv[0], __filename];
  process.chdir(TASK_ROOT);
  connect();
  try {
    userHandler = await loadHandler();
  } catch (error) {
    initError(error, 1);
    return;
  }
  waiting.push(takeEvent);
  socket.ref();
  socket.write(POLL);
}

main();
