'use strict';
/* From "dir/file.export" to a function. */
const fs = require('fs');
const path = require('path');
const { fault } = require('./log');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');

/* What `awslambda` offers to functions that stream their response. */
class HttpResponseStream {
  static from(stream, prelude) {
    stream.setContentType('application/vnd.awslambda.http-integration-response');
    stream.prelude = Buffer.concat([Buffer.from(JSON.stringify(prelude)), Buffer.alloc(8)]);
    return stream;
  }
}

function streamifyResponse(handler, options) {
  handler[STREAMING] = 'response';
  if (options && typeof options.highWaterMark === 'number') handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
  return handler;
}

function defineGlobal() {
  if (!['1', 'true'].includes(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) {
    globalThis.awslambda = { streamifyResponse, HttpResponseStream };
  }
}

/* The nearest package.json upward decides; a node_modules directory ends the search. */
function isModuleType(dir) {
  for (;; dir = path.dirname(dir)) {
    if (path.basename(dir) === 'node_modules') return false;
    try {
      return JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8')).type === 'module';
    } catch (error) {
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') {
        console.warn(`${dir}/package.json cannot be read, it is ignored: ${error.message}`);
        return false;
      }
    }
    if (dir === '/') return false;
  }
}

async function loadModule(root, dir, name) {
  const file = path.resolve(root, dir, name);
  const load = (extension, asModule) => {
    const whole = file + extension;
    if (!fs.existsSync(whole)) return undefined;
    return asModule ? import(require('url').pathToFileURL(whole).href) : require(whole);
  };
  let found = load('');
  if (!found && fs.existsSync(`${file}.js`)) found = await load('.js', isModuleType(path.dirname(file)));
  return found || await load('.mjs', true) || load('.cjs')
    || require(require.resolve(name, { paths: [root, path.resolve(root, dir)] }));
}

async function loadOrExplain(root, dir, name) {
  try {
    return await loadModule(root, dir, name);
  } catch (error) {
    if (error instanceof SyntaxError) {
      const explained = fault('UserCodeSyntaxError', String(error));
      explained.stack = `${explained.name}: ${error.stack}`; // with the place in the function's code
      throw explained;
    }
    if (error && error.code === 'MODULE_NOT_FOUND') throw fault('ImportModuleError', String(error));
    throw error;
  }
}

/* { call, streaming, highWaterMark, isAsync, takesCallback } */
async function loadHandler(root, text) {
  if (text.includes('..')) {
    throw fault('MalformedHandlerName', `'${text}' is not a valid handler name. Use absolute paths when specifying root directories `
      + 'in handler names.');
  }
  const base = path.basename(text);
  const dot = base.indexOf('.');
  if (dot < 0) throw fault('MalformedHandlerName', 'Bad handler');
  const dir = text.slice(0, text.length - base.length);
  const loaded = await loadOrExplain(root, dir, base.slice(0, dot));
  const call = base.slice(dot + 1).split('.').reduce((value, key) => value && value[key], loaded);
  if (!call) throw fault('HandlerNotFound', `${text} is undefined or not exported`);
  if (typeof call !== 'function') throw fault('HandlerNotFound', `${text} is not a function`);
  const mark = call[STREAMING];
  if (mark && mark !== 'response') throw fault('MalformedStreamingHandler', 'Only response streaming is supported.');
  const isAsync = Object.getPrototypeOf(call) === Object.getPrototypeOf(async () => {});
  return { call, streaming: mark === 'response', highWaterMark: call[HIGH_WATER_MARK], isAsync,
    takesCallback: !mark && !isAsync && call.length === 3 };
}

module.exports = { defineGlobal, loadHandler };
