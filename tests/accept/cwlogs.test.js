/* CloudWatch Logs as a service: every operation by the SDK and the AWS CLI, successes and errors. */
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFile, spawn } = require('node:child_process');
const { test, before, after } = require('node:test');
const sdk = require('@aws-sdk/client-cloudwatch-logs');
const { Lambkin, PUPPET, REGION, ACCOUNT, BUILD, cleanEnv, until } = require('./lib/lambkin');

const AWS = process.env.LK_AWS || '/usr/bin/aws';
const skip = fs.existsSync(AWS) ? false : `${AWS} is missing (apt-get install awscli)`;
if (skip && process.env.LK_MUST_RUN === '1') throw new Error(skip);
const DAY = 86400000;
const NO_GROUP = ['ResourceNotFoundException', 'The specified log group does not exist.'];
const NO_STREAM = ['ResourceNotFoundException', 'The specified log stream does not exist.'];

let lk;
let logs;
let home;
before(async () => {
  lk = await Lambkin.start();
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'lambkin-cwlogs-'));
  connect();
  endpoint = await lk.proxied();
});
after(async () => {
  logs.destroy();
  fs.rmSync(home, { recursive: true });
  await lk.stop();
});

function connect() {
  logs = new sdk.CloudWatchLogsClient({ endpoint: lk.endpoint, region: REGION, maxAttempts: 1,
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' } });
}

const call = (name, input) => logs.send(new sdk[`${name}Command`](input));
const awsEnv = () => cleanEnv({ AWS_ACCESS_KEY_ID: 'any', AWS_SECRET_ACCESS_KEY: 'any', HOME: home, AWS_EC2_METADATA_DISABLED: 'true' });
let endpoint; /* of the CLI: through this process, which checks the answers (lib/model.js) */
const awsArgs = (args) => ['--endpoint-url', endpoint, '--region', REGION, '--no-cli-pager', '--output', 'json', 'logs', ...args];

function aws(...args) {
  return new Promise((done) => {
    execFile(AWS, awsArgs(args), { env: awsEnv(), cwd: home }, (error, stdout, stderr) => {
      done({ code: error ? error.code : 0, stderr, stdout, json: stdout.startsWith('{') ? JSON.parse(stdout) : undefined });
    });
  });
}

/* Refused with this code and text, and HTTP 400. */
async function refused(promise, [code, text]) {
  await assert.rejects(promise, (e) => {
    assert.equal(e.name, code, e.message);
    if (text instanceof RegExp) assert.match(e.message, text);
    else assert.equal(e.message, text);
    assert.equal(e.$metadata.httpStatusCode, code === 'NotImplementedException' ? 501 : 400);
    return true;
  });
}

async function filter(input) {
  const found = [];
  let nextToken;
  do {
    const page = await call('FilterLogEvents', { ...input, nextToken });
    found.push(...page.events);
    nextToken = page.nextToken;
  } while (nextToken);
  return found;
}
const messages = (events) => events.map((e) => e.message);

async function fresh(name, ...streams) {
  await call('CreateLogGroup', { logGroupName: name });
  for (const logStreamName of streams) await call('CreateLogStream', { logGroupName: name, logStreamName });
}

test('groups: create, describe, delete', async () => {
  const start = Date.now();
  await call('CreateLogGroup', { logGroupName: 'g/one', tags: { a: 'b' } });
  await call('CreateLogGroup', { logGroupName: 'g/two', logGroupClass: 'INFREQUENT_ACCESS' });
  await refused(call('CreateLogGroup', { logGroupName: 'g/one' }), ['ResourceAlreadyExistsException', 'The specified log group already exists']);
  const { logGroups } = await call('DescribeLogGroups', { logGroupNamePrefix: 'g/' });
  const arn = `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:g/one`;
  assert.ok(logGroups[0].creationTime >= start && logGroups[0].creationTime <= Date.now());
  assert.deepEqual(logGroups[0], { logGroupName: 'g/one', creationTime: logGroups[0].creationTime, metricFilterCount: 0,
    arn: `${arn}:*`, logGroupArn: arn, storedBytes: 0, logGroupClass: 'STANDARD' });
  assert.equal(logGroups[1].logGroupClass, 'INFREQUENT_ACCESS');
  const by = async (input) => (await call('DescribeLogGroups', input)).logGroups.map((g) => g.logGroupName);
  assert.deepEqual(await by({ logGroupNamePattern: '/t' }), ['g/two']);
  assert.deepEqual(await by({ logGroupNamePattern: '/T' }), []);
  assert.deepEqual(await by({ logGroupClass: 'INFREQUENT_ACCESS' }), ['g/two']);
  assert.deepEqual(await by({ logGroupIdentifiers: [arn, 'none'] }), ['g/one']);
  await refused(call('DescribeLogGroups', { logGroupNamePrefix: 'a', logGroupNamePattern: 'b' }), ['InvalidParameterException',
    'LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.']);
  await refused(call('CreateLogGroup', { logGroupName: 'k', kmsKeyId: 'arn:aws:kms:us-east-1:000000000000:key/x' }), ['NotImplementedException', /kmsKeyId/]);
  await call('DeleteLogGroup', { logGroupName: 'g/one' });
  await call('DeleteLogGroup', { logGroupName: 'g/two' });
  await refused(call('DeleteLogGroup', { logGroupName: 'g/one' }), NO_GROUP);
  assert.deepEqual(await by({ logGroupNamePrefix: 'g/' }), []);
});

test('groups: pages', async () => {
  const names = Array.from({ length: 120 }, (_, n) => `page/${String(n).padStart(3, '0')}`);
  await Promise.all(names.map((logGroupName) => call('CreateLogGroup', { logGroupName })));
  const found = [];
  for (const limit of [undefined, 7]) {
    found.length = 0;
    for await (const page of sdk.paginateDescribeLogGroups({ client: logs, pageSize: limit }, { logGroupNamePrefix: 'page/' })) {
      assert.ok(page.logGroups.length <= (limit || 50));
      found.push(...page.logGroups.map((g) => g.logGroupName));
    }
    assert.deepEqual(found, names);
  }
  await refused(call('DescribeLogGroups', { nextToken: 'page/003' }), ['InvalidParameterException', 'The specified nextToken is invalid.']);
  await Promise.all(names.map((logGroupName) => call('DeleteLogGroup', { logGroupName })));
});

test('names and limits are checked by the model', async () => {
  await refused(call('CreateLogGroup', { logGroupName: 'a b' }), ['InvalidParameterException',
    "1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"]);
  await refused(call('CreateLogGroup', { logGroupName: 'x'.repeat(513) }), ['InvalidParameterException', /Member must have length less than or equal to 512/]);
  await fresh('check');
  await refused(call('CreateLogStream', { logGroupName: 'check', logStreamName: 'a:b' }), ['InvalidParameterException', /'logStreamName'/]);
  await refused(call('DescribeLogGroups', { limit: 51 }), ['InvalidParameterException', /'limit'/]);
  await refused(call('FilterLogEvents', { logGroupName: 'check', limit: 10001 }), ['InvalidParameterException', /'limit'/]);
  await refused(call('GetLogEvents', { logStreamName: 's' }), ['InvalidParameterException', /logGroupName or logGroupIdentifier/]);
  await refused(call('GetLogEvents', { logGroupName: 'a', logGroupIdentifier: 'b', logStreamName: 's' }), ['InvalidParameterException',
    'LogGroup name and LogGroup ARN are mutually exclusive parameters.']);
});

test('streams: create, describe in both orders, pages, delete', async () => {
  const logGroupName = 'streams';
  await refused(call('CreateLogStream', { logGroupName, logStreamName: 's' }), NO_GROUP);
  await refused(call('DescribeLogStreams', { logGroupName }), NO_GROUP);
  await fresh(logGroupName, 'a', 'b', 'c/1', 'c/2');
  await refused(call('CreateLogStream', { logGroupName, logStreamName: 'a' }), ['ResourceAlreadyExistsException', 'The specified log stream already exists']);
  const now = Date.now();
  await call('PutLogEvents', { logGroupName, logStreamName: 'b', logEvents: [{ timestamp: now - 5, message: 'x' }, { timestamp: now, message: 'y' }] });
  await call('PutLogEvents', { logGroupName, logStreamName: 'a', logEvents: [{ timestamp: now - 1, message: 'z' }] });
  const all = (await call('DescribeLogStreams', { logGroupName })).logStreams;
  assert.deepEqual(all.map((s) => s.logStreamName), ['a', 'b', 'c/1', 'c/2']);
  const [, b, c] = all;
  assert.deepEqual([b.firstEventTimestamp, b.lastEventTimestamp, b.storedBytes], [now - 5, now, 0]);
  assert.ok(b.lastIngestionTime >= now && b.creationTime <= now && b.uploadSequenceToken);
  assert.equal(b.arn, `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:streams:log-stream:b`);
  assert.deepEqual([c.firstEventTimestamp, c.lastEventTimestamp, c.lastIngestionTime], [undefined, undefined, undefined]);
  const by = async (input) => {
    const names = [];
    for await (const page of sdk.paginateDescribeLogStreams({ client: logs }, { logGroupName, ...input })) {
      if (input.limit) assert.ok(page.logStreams.length <= input.limit);
      names.push(...page.logStreams.map((s) => s.logStreamName));
    }
    return names;
  };
  assert.deepEqual(await by({ descending: true, limit: 1 }), ['c/2', 'c/1', 'b', 'a']);
  assert.deepEqual(await by({ orderBy: 'LastEventTime', descending: true, limit: 1 }), ['b', 'a', 'c/2', 'c/1']);
  assert.deepEqual(await by({ orderBy: 'LastEventTime', limit: 3 }), ['c/1', 'c/2', 'a', 'b']);
  assert.deepEqual(await by({ logStreamNamePrefix: 'c/', limit: 1 }), ['c/1', 'c/2']);
  await refused(call('DescribeLogStreams', { logGroupName, logStreamNamePrefix: 'c', orderBy: 'LastEventTime' }),
    ['InvalidParameterException', 'Cannot order by LastEventTime with a logStreamNamePrefix.']);
  await refused(call('DescribeLogStreams', { logGroupName, nextToken: 'none' }), ['InvalidParameterException', 'The specified nextToken is invalid.']);
  await call('DeleteLogStream', { logGroupName, logStreamName: 'b' });
  await refused(call('DeleteLogStream', { logGroupName, logStreamName: 'b' }), NO_STREAM);
  await refused(call('DeleteLogStream', { logGroupName: 'none', logStreamName: 'b' }), NO_GROUP);
  assert.deepEqual(messages(await filter({ logGroupName })), ['z']);
});

test('PutLogEvents: what is taken and what is not', async () => {
  const logGroupName = 'put';
  const now = Date.now();
  const put = (logEvents, more) => call('PutLogEvents', { logGroupName, logStreamName: 's', logEvents, ...more });
  const event = (age, message = 'm') => ({ timestamp: now - age, message });
  await refused(put([event(0)]), NO_GROUP);
  await fresh(logGroupName);
  await refused(put([event(0)]), NO_STREAM);
  await call('CreateLogStream', { logGroupName, logStreamName: 's' });
  const first = await put([event(1, 'ä\n')], { sequenceToken: 'whatever' });
  assert.ok(first.nextSequenceToken);
  assert.equal(first.rejectedLogEventsInfo, undefined);
  await refused(put([event(0), event(1)]), ['InvalidParameterException', 'Log events in a single PutLogEvents request must be in chronological order.']);
  await refused(put([event(DAY + 1), event(0)]), ['InvalidParameterException', /cannot span more than 24 hours/]);
  const big = 'x'.repeat(524288 - 26);
  await put([event(0, big), event(0, big)]);
  await refused(put([event(0, big), event(0, `${big}x`)]), ['InvalidParameterException', 'Upload too large: 1048577 bytes exceeds limit of 1048576']);
  await refused(put([]), ['InvalidParameterException', /'logEvents'/]);
  await refused(put(Array.from({ length: 10001 }, () => event(0))), ['InvalidParameterException', /less than or equal to 10000/]);
  const old = await put([event(14 * DAY + 1000), event(14 * DAY + 500), event(13.5 * DAY, 'young enough')]);
  assert.deepEqual(old.rejectedLogEventsInfo, { tooOldLogEventEndIndex: 2 });
  const future = await put([event(0, 'soon'), event(-3 * 3600000), event(-4 * 3600000)]);
  assert.deepEqual(future.rejectedLogEventsInfo, { tooNewLogEventStartIndex: 1 });
  await call('PutRetentionPolicy', { logGroupName, retentionInDays: 1 });
  const expired = await put([event(1.5 * DAY), event(0.9 * DAY, 'kept')]);
  assert.deepEqual(expired.rejectedLogEventsInfo, { expiredLogEventEndIndex: 1 });
  assert.deepEqual(messages(await filter({ logGroupName })).filter((m) => m !== big), ['kept', 'ä\n', 'soon']);
});

test('GetLogEvents: both ways, tokens', async () => {
  const logGroupName = 'get';
  const now = Date.now();
  await fresh(logGroupName, 's', 'empty');
  const get = (input) => call('GetLogEvents', { logGroupName, logStreamName: 's', ...input });
  await refused(call('GetLogEvents', { logGroupName: 'none', logStreamName: 's' }), NO_GROUP);
  await refused(get({ logStreamName: 'none' }), NO_STREAM);
  for (const nextToken of ['x', 'f/12/s', `f/${'9'.repeat(56)}/s`]) await refused(get({ nextToken }), ['InvalidParameterException', 'The specified nextToken is invalid.']);
  await call('PutLogEvents', { logGroupName, logStreamName: 's', logEvents: Array.from({ length: 10 }, (_, n) => ({ timestamp: now + n, message: `m${n}` })) });
  const head = await get({ startFromHead: true, limit: 4 });
  assert.deepEqual(messages(head.events), ['m0', 'm1', 'm2', 'm3']);
  assert.match(head.nextForwardToken, /^f\/\d{56}\/s$/);
  assert.match(head.nextBackwardToken, /^b\/\d{56}\/s$/);
  assert.ok(head.events[0].ingestionTime >= now && head.events[0].timestamp === now);
  const second = await get({ nextToken: head.nextForwardToken, limit: 10, startFromHead: true });
  assert.deepEqual(messages(second.events), ['m4', 'm5', 'm6', 'm7', 'm8', 'm9']);
  const end = await get({ nextToken: second.nextForwardToken, startFromHead: true });
  assert.deepEqual([end.events, end.nextForwardToken], [[], second.nextForwardToken]);
  const back = await get({ nextToken: second.nextBackwardToken, limit: 2 });
  assert.deepEqual(messages(back.events), ['m2', 'm3']);
  const tail = await get({ limit: 3 });
  assert.deepEqual(messages(tail.events), ['m7', 'm8', 'm9']);
  assert.deepEqual(messages((await get({ nextToken: tail.nextBackwardToken, limit: 3 })).events), ['m4', 'm5', 'm6']);
  assert.deepEqual(messages((await get({ startTime: now + 2, endTime: now + 4 })).events), ['m2', 'm3']);
  assert.deepEqual(messages((await get({ logGroupName: undefined, logGroupIdentifier: `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:get`, limit: 1 })).events), ['m9']);
  const nothing = await get({ logStreamName: 'empty' });
  assert.deepEqual(nothing.events, []);
  await call('PutLogEvents', { logGroupName, logStreamName: 'empty', logEvents: [{ timestamp: now, message: 'later' }] });
  assert.deepEqual(messages((await get({ logStreamName: 'empty', nextToken: nothing.nextForwardToken })).events), ['later']);
});

test('FilterLogEvents: the order of time over streams, whatever the order of arrival; pages', async () => {
  const logGroupName = 'filter';
  const now = Date.now();
  await refused(call('FilterLogEvents', { logGroupName }), NO_GROUP);
  await fresh(logGroupName, 'a', 'b', 'c');
  for (let n = 9; n >= 0; n--) {
    await call('PutLogEvents', { logGroupName, logStreamName: 'abc'[n % 3], logEvents: [{ timestamp: now - 1000 + n, message: `m${n}` }] });
  }
  const all = Array.from({ length: 10 }, (_, n) => `m${n}`);
  for (const limit of [undefined, 1, 3]) {
    const events = await filter({ logGroupName, limit });
    assert.deepEqual(messages(events), all);
    assert.equal(new Set(events.map((e) => e.eventId)).size, 10);
    assert.match(events[0].eventId, /^\d{56}$/);
  }
  const found = async (input) => messages(await filter({ logGroupName, ...input }));
  assert.deepEqual(await found({ startTime: now - 998, endTime: now - 996 }), ['m2', 'm3', 'm4']);
  assert.deepEqual(await found({ logStreamNames: ['a'] }), ['m0', 'm3', 'm6', 'm9']);
  assert.deepEqual(await found({ logStreamNames: ['a', 'c'], limit: 2 }), ['m0', 'm2', 'm3', 'm5', 'm6', 'm8', 'm9']);
  assert.deepEqual(await found({ logStreamNamePrefix: 'b' }), ['m1', 'm4', 'm7']);
  assert.deepEqual(await found({ filterPattern: '?m3 ?m4', interleaved: true }), ['m3', 'm4']);
  assert.deepEqual((await call('FilterLogEvents', { logGroupName })).searchedLogStreams, []);
  await refused(call('FilterLogEvents', { logGroupName, logStreamNames: ['a', 'none'] }), NO_STREAM);
  await refused(call('FilterLogEvents', { logGroupName, logStreamNames: ['a'], logStreamNamePrefix: 'a' }), ['InvalidParameterException', /mutually exclusive/]);
  await refused(call('FilterLogEvents', { logGroupName, nextToken: '17' }), ['InvalidParameterException', 'The specified nextToken is invalid.']);
  await refused(call('FilterLogEvents', { logGroupName, filterPattern: '"open' }), ['InvalidParameterException', /^Invalid filter pattern/]);
});

test('filter patterns: terms, expressions, JSON, fields', async () => {
  const logGroupName = 'patterns';
  await fresh(logGroupName, 's');
  const json = { level: 'ERROR', code: 503, user: { name: 'Ann', admin: true }, list: ['a', { id: 7 }], nothing: null };
  const line = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534';
  const events = { json: JSON.stringify(json), line, text: 'an ERROR occurred: time-out' };
  const now = Date.now();
  await call('PutLogEvents', { logGroupName, logStreamName: 's',
    logEvents: Object.values(events).map((message, n) => ({ timestamp: now + n, message })) });
  const cases = {
    ERROR: ['json', 'text'], '"ERROR occurred"': ['text'], 'ERROR -occurred': ['json'], '?frank ?occurred': ['line', 'text'], '%ERR[A-Z]+ o%': ['text'],
    '{ $.level = "ERR*" && $.code >= 500 }': ['json'], '{ $.user.name != "Ann" || ($.list[1].id = 7 && $.user.admin IS TRUE) }': ['json'],
    '{ $.nothing IS NULL && $.none NOT EXISTS }': ['json'], '{ $.code < 500 }': [], '{ $.user.name = %^A% }': ['json'],
    '[ip, id, user, time, request, status = 4*, size > 1000]': ['line'], '[..., status = 5* || status = 404, size]': ['line'], '[w1, w2 = ERROR, ...]': ['text'],
  };
  for (const [filterPattern, expected] of Object.entries(cases)) {
    assert.deepEqual(messages(await filter({ logGroupName, filterPattern })), expected.map((e) => events[e]), filterPattern);
  }
  for (const filterPattern of ['{ $.a', '{ $.a > x }', '{ a = 1 }', '[a b]', '%(a)%', '%a']) {
    await refused(call('FilterLogEvents', { logGroupName, filterPattern }), ['InvalidParameterException', /^Invalid filter pattern/]);
  }
});

test('retention: what is older goes', async () => {
  const logGroupName = 'keep';
  const put = (age, message) => call('PutLogEvents', { logGroupName, logStreamName: 's', logEvents: [{ timestamp: Date.now() - age, message }] });
  const retention = async () => (await call('DescribeLogGroups', { logGroupNamePrefix: logGroupName })).logGroups[0].retentionInDays;
  await refused(call('PutRetentionPolicy', { logGroupName, retentionInDays: 1 }), NO_GROUP);
  await refused(call('DeleteRetentionPolicy', { logGroupName }), NO_GROUP);
  await fresh(logGroupName, 's');
  assert.equal(await retention(), undefined);
  await put(4 * DAY, 'old');
  await put(2 * DAY, 'middle');
  await put(0, 'new');
  await call('PutRetentionPolicy', { logGroupName, retentionInDays: 3 });
  assert.equal(await retention(), 3);
  assert.deepEqual(messages(await filter({ logGroupName })), ['middle', 'new']);
  for (const days of [0, 2, 4000]) {
    await refused(call('PutRetentionPolicy', { logGroupName, retentionInDays: days }), ['InvalidParameterException',
      new RegExp(`^1 validation error detected: Value '${days}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: \\[1, 3, 5, `)]);
  }
  await call('DeleteRetentionPolicy', { logGroupName });
  assert.equal(await retention(), undefined);
});

test('tags: by name and by ARN', async () => {
  const logGroupName = 'tagged';
  const resourceArn = `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${logGroupName}`;
  for (const [name, input] of [['TagLogGroup', { logGroupName, tags: { a: 'b' } }], ['UntagLogGroup', { logGroupName, tags: ['a'] }],
    ['ListTagsLogGroup', { logGroupName }], ['TagResource', { resourceArn, tags: { a: 'b' } }],
    ['UntagResource', { resourceArn, tagKeys: ['a'] }], ['ListTagsForResource', { resourceArn }]]) {
    await refused(call(name, input), NO_GROUP);
  }
  await call('CreateLogGroup', { logGroupName, tags: { one: '1' } });
  await call('TagLogGroup', { logGroupName, tags: { two: '2', one: 'x' } });
  await call('TagResource', { resourceArn, tags: { three: '' } });
  const expected = { one: 'x', two: '2', three: '' };
  assert.deepEqual((await call('ListTagsLogGroup', { logGroupName })).tags, expected);
  assert.deepEqual((await call('ListTagsForResource', { resourceArn })).tags, expected);
  await call('UntagLogGroup', { logGroupName, tags: ['one', 'none'] });
  await call('UntagResource', { resourceArn, tagKeys: ['three'] });
  assert.deepEqual((await call('ListTagsForResource', { resourceArn })).tags, { two: '2' });
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`k${n}`, 'v']));
  await refused(call('TagResource', { resourceArn, tags: many }), ['TooManyTagsException', /50/]);
  await refused(call('TagLogGroup', { logGroupName, tags: many }), ['InvalidParameterException', /50/]);
  await refused(call('ListTagsForResource', { resourceArn: 'nonsense' }), ['InvalidParameterException', /resourceArn/]);
  assert.deepEqual((await call('ListTagsForResource', { resourceArn })).tags, { two: '2' });
});

test('accounts and regions have logs of their own', async () => {
  const logGroupName = 'own';
  await fresh(logGroupName, 's');
  for (const [region, accessKeyId] of [['eu-west-1', 'any'], [REGION, '123456789012']]) {
    const other = new sdk.CloudWatchLogsClient({ endpoint: lk.endpoint, region, maxAttempts: 1, credentials: { accessKeyId, secretAccessKey: 'any' } });
    try {
      await refused(other.send(new sdk.DescribeLogStreamsCommand({ logGroupName })), NO_GROUP);
      assert.deepEqual((await other.send(new sdk.DescribeLogGroupsCommand({}))).logGroups, []);
      await refused(other.send(new sdk.FilterLogEventsCommand({ logGroupIdentifier: `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:own` })), NO_GROUP);
    } finally {
      other.destroy();
    }
  }
});

test('changes at the same time: one makes a group, one deletes it', async () => {
  const every = async (name) => {
    const all = await Promise.allSettled(Array.from({ length: 10 }, () => call(name, { logGroupName: 'race' })));
    return [all.filter((r) => r.status === 'fulfilled').length, new Set(all.filter((r) => r.status === 'rejected').map((r) => r.reason.name))];
  };
  assert.deepEqual(await every('CreateLogGroup'), [1, new Set(['ResourceAlreadyExistsException'])]);
  assert.deepEqual(await every('DeleteLogGroup'), [1, new Set(['ResourceNotFoundException'])]);
});

test('what is not built says so', async () => {
  await refused(call('DescribeSubscriptionFilters', { logGroupName: 'a' }), ['NotImplementedException', /not implemented/]);
  const answer = await lk.api('POST', '/', { logGroupName: 'check', startFromHead: false }, // newer than the SDK
    { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': 'Logs_20140328.FilterLogEvents', Authorization: lk.authorization().replace('/lambda/', '/logs/') });
  assert.deepEqual([answer.status, answer.json.__type], [501, 'NotImplementedException']);
});

test('what was acknowledged survives kill -9', async () => {
  const logGroupName = 'killed';
  await call('CreateLogGroup', { logGroupName, tags: { a: 'b' } });
  await call('CreateLogStream', { logGroupName, logStreamName: 'made' });
  await call('CreateLogStream', { logGroupName, logStreamName: 'deleted' });
  await call('PutRetentionPolicy', { logGroupName, retentionInDays: 7 });
  await call('PutLogEvents', { logGroupName, logStreamName: 'made', logEvents: [{ timestamp: Date.now(), message: 'kept' }] });
  await call('DeleteLogStream', { logGroupName, logStreamName: 'deleted' });
  await fresh('killed/gone', 's');
  await call('DeleteLogGroup', { logGroupName: 'killed/gone' });
  await lk.signal('SIGKILL');
  await lk.begin();
  endpoint = await lk.proxied();
  const { logGroups } = await call('DescribeLogGroups', { logGroupNamePrefix: logGroupName });
  assert.deepEqual(logGroups.map((g) => [g.logGroupName, g.retentionInDays, g.storedBytes]), [[logGroupName, 7, 4]]);
  assert.deepEqual((await call('ListTagsLogGroup', { logGroupName })).tags, { a: 'b' });
  assert.deepEqual((await call('DescribeLogStreams', { logGroupName })).logStreams.map((s) => s.logStreamName), ['made']);
  assert.deepEqual(messages(await filter({ logGroupName })), ['kept']);
});

test('the AWS CLI: every operation', { skip }, async () => {
  const good = async (...args) => {
    const answer = await aws(...args);
    assert.equal(answer.code, 0, `${args.join(' ')}: ${answer.stderr}`);
    return answer.json;
  };
  const group = ['--log-group-name', 'cli'];
  const arn = `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:cli`;
  await good('create-log-group', ...group, '--tags', 'a=b');
  assert.match((await aws('create-log-group', ...group)).stderr, /\(ResourceAlreadyExistsException\).*: The specified log group already exists/);
  await good('create-log-stream', ...group, '--log-stream-name', 's');
  await good('put-retention-policy', ...group, '--retention-in-days', '30');
  assert.equal((await good('describe-log-groups', '--log-group-name-prefix', 'cli')).logGroups[0].retentionInDays, 30);
  await good('delete-retention-policy', ...group);
  await good('tag-log-group', ...group, '--tags', 'c=d');
  await good('tag-resource', '--resource-arn', arn, '--tags', 'e=f');
  await good('untag-log-group', ...group, '--tags', 'a');
  await good('untag-resource', '--resource-arn', arn, '--tag-keys', 'e');
  assert.deepEqual((await good('list-tags-log-group', ...group)).tags, { c: 'd' });
  assert.deepEqual((await good('list-tags-for-resource', '--resource-arn', arn)).tags, { c: 'd' });
  const sent = await good('put-log-events', ...group, '--log-stream-name', 's', '--log-events', `timestamp=${Date.now()},message=hello`);
  assert.ok(sent.nextSequenceToken);
  assert.equal((await good('get-log-events', ...group, '--log-stream-name', 's')).events[0].message, 'hello');
  assert.equal((await good('filter-log-events', ...group, '--filter-pattern', 'hello')).events.length, 1);
  assert.equal((await good('describe-log-streams', ...group, '--order-by', 'LastEventTime')).logStreams[0].logStreamName, 's');
  await good('delete-log-stream', ...group, '--log-stream-name', 's');
  await good('delete-log-group', ...group);
  assert.match((await aws('delete-log-group', ...group)).stderr, /\(ResourceNotFoundException\).*: The specified log group does not exist\./);
});

/* Starts a program that follows; what it printed so far. */
function follower(program, args, env) {
  const child = spawn(program, args, { env });
  const one = { child, out: '' };
  child.stdout.on('data', (d) => { one.out += d; });
  child.stderr.on('data', (d) => { one.out += d; });
  one.shows = (text) => until(() => one.out.includes(text), `${text} in ${one.out}`, 30000);
  one.end = async () => {
    child.kill('SIGINT');
    await until(() => child.exitCode !== null || child.signalCode !== null, 'its end');
  };
  return one;
}

test('aws logs tail --follow shows a function\'s lines as they come', { skip }, async () => {
  await lk.create('tailed', PUPPET);
  await lk.call('tailed', { code: 'print("first line")' });
  const tail = follower(AWS, awsArgs(['tail', '/aws/lambda/tailed', '--follow']), { ...awsEnv(), PYTHONUNBUFFERED: '1' });
  try {
    await tail.shows('first line');
    await lk.call('tailed', { code: 'print("second line")' });
    await tail.shows('second line');
    assert.equal(tail.out.split('first line').length, 2, 'each line once');
  } finally {
    await tail.end();
  }
});

test('lambkin logs --follow goes on with a group that was made anew', async () => {
  await lk.create('anew', PUPPET);
  await lk.call('anew', { code: 'for n in range(50): print("old", n)' });
  const tail = follower(path.join(BUILD, 'lambkin'), ['logs', 'anew', '--follow'], cleanEnv({ LAMBKIN_ENDPOINT: lk.endpoint }));
  try {
    await tail.shows('old 49');
    await call('DeleteLogGroup', { logGroupName: '/aws/lambda/anew' });
    await lk.call('anew', { code: 'print("new")' });
    await tail.shows(' new\n');
    assert.equal(tail.out.split('old 49\n').length, 2);
  } finally {
    await tail.end();
  }
});
