/* CloudWatch Logs: what functions print is read back with the ordinary client. */
'use strict';
const assert = require('node:assert/strict');
const { test, before, after } = require('node:test');
const {
  CloudWatchLogsClient, DescribeLogGroupsCommand, DescribeLogStreamsCommand, GetLogEventsCommand, FilterLogEventsCommand,
  DeleteLogGroupCommand,
} = require('@aws-sdk/client-cloudwatch-logs');
const { Lambkin, PUPPET, REGION, ACCOUNT } = require('./lib/lambkin');

let lk;
let logs;
before(async () => {
  lk = await Lambkin.start();
  logs = new CloudWatchLogsClient({ endpoint: lk.endpoint, region: REGION, maxAttempts: 1,
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' } });
  await lk.create('talk', PUPPET);
});
after(async () => {
  logs.destroy();
  await lk.stop();
});

const py = (code) => ({ code });
const group = '/aws/lambda/talk';

test('groups, streams, events: to the byte and in order', async () => {
  const one = await lk.invoke('talk', py('print("alpha")\nprint("beta")'));
  const two = await lk.invoke('talk', py('print("gamma")'));
  const [a, b] = [one, two].map((x) => x.headers['x-amzn-requestid']);
  const { logGroups } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: group }));
  assert.deepEqual(logGroups.map((g) => g.logGroupName), [group]);
  assert.match(logGroups[0].arn, new RegExp(`^arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${group}(:\\*)?$`));
  const { logStreams } = await logs.send(new DescribeLogStreamsCommand({ logGroupName: group }));
  assert.equal(logStreams.length, 1);
  assert.match(logStreams[0].logStreamName, /^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/);
  const { events } = await logs.send(new GetLogEventsCommand({ logGroupName: group, startFromHead: true,
    logStreamName: logStreams[0].logStreamName }));
  const messages = events.map((e) => e.message);
  assert.match(messages[0], /^INIT_START Runtime Version: python:3\.11\.v\d+\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}\n$/);
  assert.deepEqual(messages.slice(1).map((m) => m.replace(/\tDuration.*\n/s, '\tD\n')), [
    `START RequestId: ${a} Version: $LATEST\n`, 'alpha\n', 'beta\n', `END RequestId: ${a}\n`, `REPORT RequestId: ${a}\tD\n`,
    `START RequestId: ${b} Version: $LATEST\n`, 'gamma\n', `END RequestId: ${b}\n`, `REPORT RequestId: ${b}\tD\n`]);
  for (let i = 1; i < events.length; i++) assert.ok(events[i].timestamp >= events[i - 1].timestamp);
  assert.ok(Math.abs(events[0].timestamp - Date.now()) < 60000);
});

test('one event for a logged exception and for each framed message', async () => {
  await lk.invoke('talk', py('raise KeyError("k")'));
  const { events } = await logs.send(new FilterLogEventsCommand({ logGroupName: group, filterPattern: '"[ERROR]"' }));
  assert.equal(events.length, 1);
  assert.match(events[0].message, /^\[ERROR\] KeyError: 'k'[\n\r]Traceback/);
  await lk.invoke('talk', py('import logging; logging.getLogger().warning("careful\\nplease")'));
  const found = await logs.send(new FilterLogEventsCommand({ logGroupName: group, filterPattern: 'careful' }));
  assert.match(found.events[0].message, /^\[WARNING\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t[0-9a-f-]{36}\tcareful[\n\r]please\n?$/);
});

test('pages', async () => {
  await lk.invoke('talk', py('for n in range(300): print("page", n)'));
  const found = [];
  let nextToken;
  do {
    const page = await logs.send(new FilterLogEventsCommand({ logGroupName: group, filterPattern: 'page', limit: 100, nextToken }));
    found.push(...page.events.map((e) => e.message));
    nextToken = page.nextToken;
  } while (nextToken);
  assert.deepEqual(found, Array.from({ length: 300 }, (_, n) => `page ${n}\n`));
});

test('logs survive a restart; a deleted function keeps its logs; a deleted group is gone', async () => {
  const read = async () => (await logs.send(new FilterLogEventsCommand({ logGroupName: group }))).events.map((e) => e.message);
  const before = await read();
  await lk.signal('SIGTERM');
  await lk.begin();
  assert.deepEqual((await read()).slice(0, before.length), before);
  await lk.api('DELETE', '/2015-03-31/functions/talk');
  assert.deepEqual((await read()).slice(0, before.length), before);
  await logs.send(new DeleteLogGroupCommand({ logGroupName: group }));
  await assert.rejects(read(), (e) => e.name === 'ResourceNotFoundException' && e.message === 'The specified log group does not exist.');
  await lk.create('talk', PUPPET);
});

test('LoggingConfig: another group, JSON', async () => {
  await lk.create('json', PUPPET, { LoggingConfig: { LogFormat: 'JSON', LogGroup: '/mine/json' } });
  const answer = await lk.invoke('json', py('print("plain")\nimport logging\nlogging.getLogger().error("worse")'));
  assert.equal(answer.error, undefined, answer.text);
  const { events } = await logs.send(new FilterLogEventsCommand({ logGroupName: '/mine/json' }));
  const records = events.map((e) => e.message).filter((m) => m.startsWith('{')).map((m) => JSON.parse(m));
  const types = records.map((r) => r.type).filter(Boolean);
  assert.deepEqual(types.filter((t) => t !== 'platform.initStart'), ['platform.start', 'platform.report']);
  const start = records.find((r) => r.type === 'platform.start');
  assert.equal(start.record.requestId, answer.headers['x-amzn-requestid']);
  assert.match(start.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const worse = records.find((r) => r.message === 'worse');
  assert.equal(worse.level, 'ERROR');
  assert.equal(worse.requestId, answer.headers['x-amzn-requestid']);
  await assert.rejects(logs.send(new FilterLogEventsCommand({ logGroupName: '/aws/lambda/json' })), (e) => e.name === 'ResourceNotFoundException');
});

test('hostile group names stay inside', async () => {
  for (const LogGroup of ['../../evil', '/../../../etc/cron.d/x', '.', '..', '/', 'a/../b']) {
    const name = `g${Buffer.from(LogGroup).toString('hex')}`;
    const created = await lk.api('POST', '/2015-03-31/functions', { FunctionName: name, Runtime: 'python3.11', Handler: 'app.handler',
      Role: 'arn:aws:iam::000000000000:role/any', LoggingConfig: { LogGroup },
      Code: { ZipFile: require('./lib/lambkin').zip(PUPPET).toString('base64') } });
    if (created.status !== 201) continue;
    await lk.settled(name);
    await lk.call(name, py('print("hello")'));
    const { events } = await logs.send(new FilterLogEventsCommand({ logGroupName: LogGroup, filterPattern: 'hello' }));
    assert.equal(events.length, 1, LogGroup);
  }
  assert.deepEqual(require('node:fs').readdirSync(lk.dir), ['data']);
});
