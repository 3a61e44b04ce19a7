/* What scenarios.test.js asks of every language. */
'use strict';
const crypto = require('node:crypto');
const v8 = require('node:v8');

class Custom extends Error {
  constructor(message) {
    super(message);
    this.name = 'Custom';
  }
}

const actions = {
  echo: (value) => value,
  context: (_, context) => ({
    id: context.awsRequestId,
    name: context.functionName,
    version: context.functionVersion,
    arn: context.invokedFunctionArn,
    memory: Number(context.memoryLimitInMB),
    group: context.logGroupName,
    stream: context.logStreamName,
    remaining: context.getRemainingTimeInMillis(),
    client: context.clientContext?.custom ?? null,
    identity: context.identity?.cognitoIdentityId ?? null,
  }),
  environment: (names) => Object.fromEntries(names.map((name) => [name, process.env[name] ?? null])),
  remaining: async (seconds, context) => {
    const earlier = context.getRemainingTimeInMillis();
    await actions.sleep(seconds);
    return [earlier, context.getRemainingTimeInMillis()];
  },
  trace: () => process.env._X_AMZN_TRACE_ID,
  heap: () => v8.getHeapStatistics().heap_size_limit / 1048576,
  log: (message) => { console.error(message); },
  levels: (message) => { for (const level of ['debug', 'info', 'warn', 'error']) console[level](`${message} ${level}`); },
  layer: () => require('layered').WORD,
  error: (message) => { throw new TypeError(message); },
  custom: (message) => { throw new Custom(message); },
  marshal: () => 1n,
  sleep: (seconds) => new Promise((done) => { setTimeout(done, seconds * 1000); }),
  exit: (status) => process.exit(status),
  memory: () => { for (const kept of [[]]) for (;;) kept.push(Buffer.alloc(10000000, 'x')); },
  big: (size) => 'x'.repeat(size),
  binary: (value) => crypto.createHash('sha256').update(Buffer.from(value, 'base64')).digest('hex'),
  print: (value) => { console.log(value); },
};

exports.handler = async (event, context) => actions[event.do](event.value, context);
