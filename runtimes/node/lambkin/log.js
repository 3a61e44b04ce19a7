'use strict';
/* console.*, error documents, and where both go: the framed log pipe if there is one, else standard output. */
const fs = require('fs');
const { format, types } = require('util');

const LEVELS = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };
let AS_JSON; // by the function's variables, see patchConsole()
let LEAST;
let pipe;

let requestId; // of the invocation in progress; undefined during init, and printed as that word
let tenantId;

function openPipe() {
  const number = process.env._LAMBDA_TELEMETRY_LOG_FD;
  delete process.env._LAMBDA_TELEMETRY_LOG_FD;
  try {
    fs.fstatSync(Number(number || NaN));
    return Number(number);
  } catch {
    return undefined;
  }
}

function writeAll(fd, data) {
  for (let at = 0; at < data.length;) {
    try {
      at += fs.writeSync(fd, data, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') return; // nobody reads any more
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/* One event. On standard output a line end would split it: the inner ones become \r. */
function emit(text, level, time) {
  if (pipe === undefined) {
    writeAll(1, Buffer.from(`${text.replace(/\n/g, '\r')}\n`));
    return;
  }
  const length = Buffer.byteLength(text) + 1;
  const frame = Buffer.allocUnsafe(16 + length);
  frame.writeUInt32BE((0xa55a0000 + (LEVELS[level] << 2) + 2 + (AS_JSON ? 0 : 1)) >>> 0, 0);
  frame.writeUInt32BE(length, 4);
  frame.writeBigUInt64BE(BigInt(time.getTime()) * 1000n, 8);
  frame.write(text, 16);
  frame[15 + length] = 10;
  writeAll(pipe, frame);
}

/* ---- errors ---- */

const isText = (value) => typeof value === 'string' && value !== '';

/* Also those of another realm, and what only looks like one. */
function isError(value) {
  return value instanceof Error || types.isNativeError(value)
    || Boolean(value && isText(value.name) && isText(value.message) && isText(value.stack));
}

/* An error of the runtime itself: fault('ImportModuleError', ...) is a Runtime.ImportModuleError. */
function fault(kind, message) {
  const error = new Error(message);
  Object.defineProperty(error, 'name', { value: `Runtime.${kind}`, configurable: true, writable: true });
  Error.captureStackTrace(error, fault);
  return error;
}

const clean = (text) => (typeof text === 'string' ? text.replace(/\x7f/g, '%7F') : text);
const lines = (stack) => (typeof stack === 'string' ? stack.split('\n') : []);

/* What the invoker sees. */
function errorDocument(error) {
  try {
    if (isError(error)) return { errorType: clean(error.name), errorMessage: clean(error.message), trace: lines(clean(error.stack)) };
    if (error === undefined || error === null) return { errorType: 'handled', errorMessage: 'handled', trace: [] };
    return { errorType: typeof error, errorMessage: clean(String(error)), trace: [] };
  } catch {
    return { errorType: 'handled', errorMessage: 'callback called with Error argument, but there was a problem while retrieving one '
      + 'or more of its message, name, and stack', trace: [] };
  }
}

function asError(value) {
  try {
    return isError(value) ? value : new Error(value);
  } catch {
    return new Error('unprintable');
  }
}

/* What the log shows in text format: also the properties that the function's author gave it. */
function errorText(error) {
  const show = (_, value) => {
    if (typeof value === 'bigint') return String(value);
    if (!(value instanceof Error) && !types.isNativeError(value)) return value;
    const shown = { errorType: value.name, errorMessage: value.message, code: value.code, ...value };
    if (typeof value.stack === 'string') shown.stack = lines(value.stack);
    return shown;
  };
  try {
    return JSON.stringify(error, show);
  } catch {
    return JSON.stringify(errorDocument(error)); // a circle, a getter that throws
  }
}

function logError(kind, error) {
  if (AS_JSON) console.error(asError(error));
  else console.error(`${kind} \t${errorText(asError(error))}`);
}

/* ---- console ---- */

function jsonError(error) {
  const own = Object.prototype.hasOwnProperty.call(error, 'name') ? error.name : undefined;
  return { errorType: own || (error.constructor && error.constructor.name) || 'UnknownError', errorMessage: error.message,
    stackTrace: lines(error.stack) };
}

function jsonLine(time, level, args) {
  const line = { timestamp: time.toISOString(), level, requestId };
  if (tenantId) line.tenantId = tenantId;
  if (args.length === 1) {
    [line.message] = args;
    try {
      return JSON.stringify(line, (_, value) => (value instanceof Error ? { ...jsonError(value), ...value } : value));
    } catch {
      line.message = format(line.message);
      return JSON.stringify(line);
    }
  }
  line.message = format(...args);
  const error = args.find((arg) => arg instanceof Error);
  return JSON.stringify(error ? { ...line, ...jsonError(error) } : line);
}

function log(level, args) {
  const time = new Date();
  emit(AS_JSON ? jsonLine(time, level, args) : `${time.toISOString()}\t${requestId}\t${level}\t${format(...args)}`, level, time);
}

function patchConsole() {
  AS_JSON = (process.env.AWS_LAMBDA_LOG_FORMAT || '').toUpperCase() === 'JSON';
  LEAST = LEVELS[(process.env.AWS_LAMBDA_LOG_LEVEL || '').toUpperCase()] || LEVELS.TRACE;
  pipe = openPipe();
  for (const [name, level] of [['trace', 'TRACE'], ['debug', 'DEBUG'], ['info', 'INFO'], ['warn', 'WARN'], ['error', 'ERROR'],
    ['fatal', 'FATAL']]) {
    console[name] = LEVELS[level] < LEAST ? () => {} : (...args) => log(level, args);
  }
  console.log = console.info;
}

function setInvocation(id, tenant) {
  requestId = id;
  tenantId = tenant;
}

module.exports = { patchConsole, setInvocation, logError, errorDocument, fault };
