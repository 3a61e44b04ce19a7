/* Event source mappings are not there yet; what is wrong with a request is said first (spec: events.md section 1.4). */
'use strict';
const assert = require('node:assert/strict');
const { test, before, after } = require('node:test');
const { Lambkin, ACCOUNT, zip } = require('./lib/lambkin');

const PATH = '/2015-03-31/event-source-mappings';
const QUEUE = `arn:aws:sqs:us-east-1:${ACCOUNT}:queue`;
const STREAM = `arn:aws:kinesis:us-east-1:${ACCOUNT}:stream/s`;
const TABLE = `arn:aws:dynamodb:us-east-1:${ACCOUNT}:table/t/stream/2024-01-01T00:00:00.000`;
let lk;
before(async () => {
  lk = await Lambkin.start();
  await lk.create('mapped', zip({ 'app.py': 'def handler(event, context):\n    return event\n' }));
});
after(async () => {
  await lk.stop();
});

function fails(answer, status, code, message) {
  assert.deepEqual([answer.status, answer.headers['x-amzn-errortype'], answer.json?.message ?? answer.json?.Message], [status, code, message]);
}
const create = (more) => lk.api('POST', PATH, { FunctionName: 'mapped', ...more });

test('what is wrong with a mapping is said before that there are none', async () => {
  const rows = [
    [{}, 'Unrecognized event source.'],
    [{ EventSourceArn: 'arn:aws:s3:::bucket' }, 'Unrecognized event source.'],
    [{ EventSourceArn: QUEUE, DestinationConfig: { OnSuccess: { Destination: QUEUE } } },
      'Unsupported DestinationConfig parameter for given event source mapping type.'],
    [{ SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['kafka:9092'] } } }, "Required 'sourceAccessConfigurations' parameter is missing."],
    [{ EventSourceArn: STREAM },
      "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null."],
    [{ EventSourceArn: TABLE, StartingPosition: 'AT_TIMESTAMP' }, `Unsupported starting position for arn type: ${TABLE}`],
    [{ EventSourceArn: QUEUE, StartingPosition: 'LATEST' }, 'StartingPosition is not valid for SQS event sources.'],
    [{ EventSourceArn: QUEUE, BatchSize: 11 },
      'Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10'],
    [{ EventSourceArn: QUEUE, FilterCriteria: { Filters: [{ Pattern: '[]' }] } }, 'Invalid filter pattern definition.'],
    [{ EventSourceArn: QUEUE, FilterCriteria: { Filters: [{}] } }, 'Invalid filter pattern definition.'],
    [{ EventSourceArn: QUEUE, FunctionName: 'nobody' }, 'Function does not exist'],
  ];
  for (const [more, message] of rows) fails(await create(more), 400, 'InvalidParameterValueException', message);
  fails(await create({ EventSourceArn: STREAM, StartingPosition: 'x' }), 400, 'ValidationException',
    "1 validation error detected: Value 'x' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]");
});

test('a mapping that is right is not implemented, and none is found', async () => {
  const right = [{ EventSourceArn: QUEUE, BatchSize: 10, FilterCriteria: { Filters: [{ Pattern: '{"body": ["x"]}' }] } },
    { EventSourceArn: STREAM, StartingPosition: 'LATEST' }];
  for (const more of right) {
    fails(await create(more), 501, 'NotImplementedException', 'CreateEventSourceMapping is not implemented by lambkin yet.');
  }
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const answer = await lk.api(method, `${PATH}/53980ff8-1cb5-4bbb-b3c4-8c2d8a3e7c13`, method === 'PUT' ? {} : undefined);
    fails(answer, 404, 'ResourceNotFoundException', 'The resource you requested does not exist.');
  }
  assert.equal((await lk.api('GET', PATH)).status, 501);
});
