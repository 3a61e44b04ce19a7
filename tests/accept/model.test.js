/* The check of answers (lib/model.js) finds each kind of deviation, by every client. No lambkin is needed. */
'use strict';
const assert = require('node:assert/strict');
const http = require('node:http');
const { test } = require('node:test');
const { LambdaClient, GetFunctionConcurrencyCommand } = require('@aws-sdk/client-lambda');
const model = require('./lib/model');
const xml = require('./lib/xml');

const ID = '00000000-0000-4000-8000-000000000000';
const shapes = {
  Text: { type: 'string' }, Colour: { type: 'string', enum: ['red', 'blue'] }, Count: { type: 'integer' }, Big: { type: 'long' },
  Share: { type: 'double' }, Flag: { type: 'boolean' }, When: { type: 'timestamp' }, Bytes: { type: 'blob' },
  Inner: { type: 'structure', required: ['Must'], members: { Must: { shape: 'Text' }, May: { shape: 'Count' } } },
  Inners: { type: 'list', member: { shape: 'Inner' } },
  Texts: { type: 'map', key: { shape: 'Colour' }, value: { shape: 'Text' } },
  Out: { type: 'structure', required: ['Name'], members: {
    Name: { shape: 'Text' }, Colour: { shape: 'Colour' }, Count: { shape: 'Count' }, Big: { shape: 'Big' }, Share: { shape: 'Share' },
    Flag: { shape: 'Flag' }, When: { shape: 'When' }, Bytes: { shape: 'Bytes' }, Inner: { shape: 'Inner' }, Inners: { shape: 'Inners' },
    Texts: { shape: 'Texts' }, Renamed: { shape: 'Text', locationName: 'renamed' } } },
  Heads: { type: 'structure', required: ['Size'], payload: 'Body', members: {
    Size: { shape: 'Count', location: 'header', locationName: 'X-Amz-Size' }, Body: { shape: 'Bytes' } } },
  Lost: { type: 'structure', exception: true, error: { httpStatusCode: 404, code: 'LostCode' }, members: {
    Type: { shape: 'Text' }, Message: { shape: 'Text' }, Count: { shape: 'Count' } } },
  Other: { type: 'structure', exception: true, error: { httpStatusCode: 400 }, members: { Type: { shape: 'Text' }, message: { shape: 'Text' } } },
  InvalidParameterValueException: { type: 'structure', exception: true, error: { httpStatusCode: 400 },
    members: { Type: { shape: 'Text' }, message: { shape: 'Text' } } },
};
const GOOD = { Name: 'n', Colour: 'red', Count: 1, Big: 2 ** 40, Share: 0.5, Flag: false, When: 1.5, Bytes: 'AAE=',
  Inner: { Must: 'm', May: 3 }, Inners: [{ Must: 'm' }], Texts: { blue: 'b' }, renamed: 'r' };

function service(protocol, metadata = {}) {
  return { name: protocol, protocol, shapes, metadata: { protocol, ...metadata } };
}
const rest = service('rest-json');
const json = service('json', { jsonVersion: '1.1' });
const query = service('query', { xmlNamespace: 'urn:x' });
const op = (name, output, code = 200) => ({ name, output, errors: ['Lost', 'InvalidParameterValueException'],
  http: { responseCode: code }, resultWrapper: `${name}Result` });

function answer(status, body, headers = {}, type = 'application/json') {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const all = { 'x-amzn-requestid': ID, 'content-type': type, ...headers };
  return { status, body: bytes, headers: Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined)) };
}

/* Exactly one thing is wrong, and it is said; with no text: nothing is. */
function expect(of, operation, got, text) {
  const problems = model.check({ service: of, op: operation }, got);
  if (!text) return assert.deepEqual(problems, []);
  assert.equal(problems.length, 1, `wanted "${text}", got ${JSON.stringify(problems)}`);
  return assert.ok(problems[0].includes(text), `wanted "${text}", got "${problems[0]}"`);
}

test('success: members, types, required, at any depth', () => {
  const of = (changes, text) => expect(rest, op('Get', 'Out'), answer(200, { ...GOOD, ...changes }), text);
  of({});
  of({ Unknown: 1 }, 'Get.Unknown is not in Out');
  of({ Renamed: 'x' }, 'Get.Renamed is not in Out');
  of({ Name: undefined }, 'Get.Name is missing');
  of({ Inner: {} }, 'Get.Inner.Must is missing');
  of({ Inners: [{ Must: 'm' }, { Must: 'm', No: 1 }] }, 'Get.Inners[1].No is not in Inner');
  for (const [name, type, ...values] of [['Name', 'string', 1, null, true, {}, []], ['Count', 'integer', '1', 1.5, null],
    ['Big', 'long', '1', 0.1], ['Share', 'double', '0.5'], ['Flag', 'boolean', 'false', 0], ['Bytes', 'blob', 'A', 'AA$=', 1],
    ['When', 'timestamp', '2026-01-01T00:00:00Z', -1], ['Inner', 'structure', [], 'x', null], ['Inners', 'list', {}, 'x'],
    ['Texts', 'map', [], 1]]) {
    for (const value of values) of({ [name]: value }, `Get.${name} is not a ${type}`);
  }
  of({ Texts: { blue: 1 } }, 'Get.Texts.blue is not a string');
  of({ Texts: { green: 'x' } }, 'key is not a value of Colour');
  of({ Colour: 'green' }, 'Get.Colour is not a value of Colour: green');
});

test('success: status, content type, request id, empty and broken bodies', () => {
  const get = op('Get', 'Out');
  expect(rest, get, answer(201, GOOD), 'status 201, not 200');
  expect(rest, get, answer(302, GOOD), 'status 302');
  expect(rest, get, answer(200, GOOD, {}, 'text/plain'), 'content-type is text/plain');
  expect(rest, get, answer(200, GOOD, { 'x-amzn-requestid': undefined }), 'x-amzn-RequestId');
  expect(rest, get, answer(200, GOOD, { 'x-amzn-requestid': 'abc' }), 'x-amzn-RequestId');
  expect(rest, get, answer(200, '{"Name":'), 'no JSON object');
  expect(rest, get, answer(200, '[]'), 'no JSON object');
  expect(rest, get, answer(200, ''), 'no JSON object');
  expect(rest, op('Delete', undefined, 204), answer(204, ''));
  expect(rest, op('Delete', undefined, 204), answer(204, '{}'), 'a body where there is none');
  expect(rest, op('Put', undefined), answer(200, '{"a":1}'), 'members where there are none');
});

test('success: header members and payloads', () => {
  const body = op('Body', 'Heads');
  expect(rest, body, answer(200, 'any bytes', { 'x-amz-size': '9' }, 'text/plain'));
  expect(rest, body, answer(200, '', { 'x-amz-size': 'nine' }), 'header x-amz-size is not a integer');
  expect(rest, body, answer(200, ''), 'header X-Amz-Size is missing');
  expect(rest, body, answer(200, '', { 'x-amz-size': '9', 'x-amz-more': '1' }), 'header x-amz-more is in no table');
});

test('errors of REST-JSON', () => {
  const fail = (status, code, body, text) => expect(rest, op('Get', 'Out'), answer(status, body, { 'x-amzn-errortype': code }), text);
  fail(404, 'Lost', { Type: 'User', Message: 'm', Count: 1 });
  fail(400, 'ValidationException', { message: 'm' });
  fail(403, 'AccessDeniedException', { Message: null });
  fail(404, undefined, { Type: 'User', Message: 'm' }, 'x-amzn-ErrorType is missing');
  fail(400, 'Other', { Type: 'User', message: 'm' }, 'Other is no error of Get');
  fail(400, 'Nonsense', { message: 'm' }, 'Nonsense is no error of Get');
  fail(400, 'Lost', { Type: 'User', Message: 'm' }, 'status 400, not 404');
  fail(404, 'Lost', { Type: 'User' }, 'Lost without Message');
  fail(404, 'Lost', { Type: 'User', Message: 7 }, 'Message is no text');
  fail(404, 'Lost', { Message: 'm' }, 'Type is undefined, not User');
  fail(404, 'Lost', { Type: 'Service', Message: 'm' }, 'Type is Service, not User');
  fail(404, 'Lost', { Type: 'User', Message: 'm', Count: '1' }, 'Lost.Count is not a integer');
  fail(404, 'Lost', { Type: 'User', Message: 'm', More: 1 }, 'Lost.More is not in Lost');
  fail(400, 'ValidationException', {}, 'ValidationException without message');
  fail(400, 'ValidationException', { Type: 'User', message: 'm' }, 'more than its message: Type');
  fail(400, 'ValidationException', '<html>', 'no JSON object');
});

test('what recorded behaviour demands is no deviation', () => {
  const fail = (body, text) => expect(rest, op('Put', 'Out'),
    answer(400, body, { 'x-amzn-errortype': 'InvalidParameterValueException' }), text);
  fail({ message: 'Specified ReservedConcurrentExecutions for function decreases ...' });
  fail({ Type: 'User', message: 'Specified ReservedConcurrentExecutions for function decreases ...' }, 'Type is User, not undefined');
  fail({ message: 'Something else' }, 'Type is undefined');
  expect(rest, op('GetFunctionCodeSigningConfig', 'Out'), answer(200, {}));
  expect(rest, op('GetFunctionCodeSigningConfig', 'Out'), answer(200, { Count: 1 }), 'Name is missing');
  expect(rest, { ...op('Invoke', 'Heads') }, answer(202, '', { 'x-amz-size': '0' }));
  const own = { status: 413, body: Buffer.alloc(0), headers: { connection: 'close' } };
  expect(rest, op('Get', 'Out'), own);
  assert.notDeepEqual(model.check({ service: rest, op: op('Get', 'Out') }, { ...own, status: 500 }), []);
});

test('AWS JSON', () => {
  const type = 'application/x-amz-json-1.1';
  const get = op('Get', 'Out');
  const fail = (status, body, headers, text) => expect(json, get, answer(status, body, headers, type), text);
  expect(json, get, answer(200, GOOD, {}, type));
  expect(json, get, answer(200, GOOD), 'content-type is application/json');
  expect(json, op('Delete', undefined), answer(200, '{}', {}, type));
  expect(json, op('Delete', undefined), answer(200, '', {}, type));
  const code = { 'x-amzn-errortype': 'Lost' };
  fail(400, { __type: 'ns#Lost', message: 'm' }, code);
  fail(400, { message: 'm' }, code, '__type is missing');
  fail(400, { __type: 'Lost' }, code, 'Lost without message');
  fail(404, { __type: 'Lost', message: 'm' }, code, 'status 404, not 400');
  fail(400, { __type: 'Other', message: 'm' }, { 'x-amzn-errortype': 'Other' }, 'Other is no error of Get');
  fail(400, { __type: 'Lost', message: 'm' }, { 'x-amzn-errortype': 'Else' }, 'x-amzn-ErrorType Else, __type Lost');
  fail(400, { __type: 'Lost', message: 'm', More: 1 }, code, 'Lost.More is not in Lost');
});

test('Query', () => {
  const get = op('Get', 'Out');
  const wrap = (inner, { root = 'GetResponse', ns = 'urn:x', id = ID } = {}) => `<?xml version="1.0"?>\n<${root} xmlns="${ns}"><GetResult>${inner}`
    + `</GetResult><ResponseMetadata><RequestId>${id}</RequestId></ResponseMetadata></${root}>`;
  const of = (text, problem) => expect(query, get, answer(200, text, {}, 'text/xml'), problem);
  of(wrap('<Name>a &amp; b</Name><Count>1</Count><Flag>true</Flag><When>2026-01-01T00:00:00Z</When><Inner><Must>m</Must></Inner>'
    + '<Inners><member><Must>m</Must></member></Inners><Texts><entry><key>red</key><value>v</value></entry></Texts>'));
  of(wrap('<Count>1</Count>'), 'GetResult.Name is missing');
  of(wrap('<Name>n</Name><Unknown/>'), 'GetResult.Unknown is not in Out');
  of(wrap('<Name>n</Name><Name>n</Name>'), 'an element twice');
  of(wrap('<Name>n</Name><Count>x</Count>'), 'Count is not a integer');
  of(wrap('<Name>n</Name><When>5</When>'), 'When is not a timestamp');
  of(wrap('<Name>n</Name><Flag>True</Flag>'), 'Flag is not a boolean');
  of(wrap('<Name>n</Name><Colour>green</Colour>'), 'not a value of Colour');
  of(wrap('<Name>n</Name><Count><x/></Count>'), 'has elements inside');
  of(wrap('<Name>n</Name><Inner>text<Must>m</Must></Inner>'), 'has text inside');
  of(wrap('<Name>n</Name><Inners><item><Must>m</Must></item></Inners>'), 'not <member>');
  of(wrap('<Name>n</Name><Inners><member/></Inners>'), 'Must is missing');
  of(wrap('<Name>n</Name><Texts><red>v</red></Texts>'), 'not <entry>');
  of(wrap('<Name>n</Name>', { ns: 'urn:y' }), 'xmlns is urn:y');
  of(wrap('<Name>n</Name>', { id: 'x' }), 'RequestId is no UUID');
  of(wrap('<Name>n</Name>', { root: 'PutResponse' }), 'not <GetResponse>');
  of('{}', 'not <GetResponse>');
  expect(query, get, answer(200, wrap('<Name>n</Name>')), 'content-type is application/json');
  const error = (code, type = 'Sender', id = ID) => `<ErrorResponse xmlns="urn:x"><Error><Type>${type}</Type><Code>${code}</Code><Message>m</Message>`
    + `</Error><RequestId>${id}</RequestId></ErrorResponse>`;
  const fail = (status, text, problem) => expect(query, get, answer(status, text, {}, 'text/xml'), problem);
  fail(404, error('LostCode'));
  fail(404, error('Lost'), 'Lost is no error of Get');
  fail(400, error('LostCode'), 'status 400, not 404');
  fail(404, error('LostCode', 'User'), 'Type is User');
  fail(404, error('LostCode', 'Sender', '7'), 'RequestId is no UUID');
  fail(404, error('LostCode').replace('<Message>m</Message>', ''), 'Message is missing');
  fail(404, '{}', 'not <ErrorResponse>');
});

test('XML that is none', () => {
  for (const text of ['', 'x', '<a>', '<a></b>', '<a/><b/>', '<a>&nope;</a>', '<a>1 < 2</a>', '</a>', '<a></a>x']) {
    assert.equal(xml.parse(text), undefined, text);
  }
  assert.deepEqual(xml.parse('<?xml version="1.0"?>\n<a b="&lt;"><c>&#65;&#x42;</c><d/></a>').children.map((c) => [c.name, c.text]), [['c', 'AB'], ['d', '']]);
});

test('which operation was asked for', () => {
  const name = (method, target, headers = {}, body = '') => model.find({ method, target, headers, body: Buffer.from(body) })?.op.name;
  assert.equal(name('GET', '/2015-03-31/functions/f%20g/configuration?Qualifier=1'), 'GetFunctionConfiguration');
  assert.equal(name('GET', '/2015-03-31/functions/'), 'ListFunctions');
  assert.equal(name('PATCH', '/2015-03-31/functions'), undefined);
  assert.equal(name('GET', '/_lambkin/health'), undefined);
  assert.equal(name('GET', '/2018-10-31/layers?find=LayerVersion&Arn=x'), 'GetLayerVersionByArn');
  assert.equal(name('GET', '/2018-10-31/layers?Marker=x'), 'ListLayers');
  assert.equal(name('POST', '/', { 'x-amz-target': 'Logs_20140328.GetLogEvents' }), 'GetLogEvents');
  assert.equal(name('POST', '/', { 'x-amz-target': 'Logs_20140328.Nonsense' }), undefined);
  const form = 'Action=GetCallerIdentity&Version=2011-06-15';
  const scope = (service) => ({ authorization: `AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/${service}/aws4_request, Signature=0` });
  for (const headers of [{}, scope('sts'), scope('lambda')]) assert.equal(name('POST', '/', headers, form), 'GetCallerIdentity');
  assert.equal(name('POST', '/', scope('iam'), form), undefined, 'IAM has no such action');
  assert.equal(name('GET', `/?${form}`), 'GetCallerIdentity');
  assert.equal(name('POST', '/', {}, 'Action=GetCallerIdentity&Version=2010-05-08'), undefined);
  /* every operation's own address leads to it */
  for (const { protocol, operations } of model.load()) {
    for (const { name: of, http: { method, requestUri } } of protocol === 'rest-json' ? Object.values(operations) : []) {
      assert.equal(name(method, requestUri.replace(/\{\w+\}/g, 'x')), of);
    }
  }
});

test('every client of this process is watched', async () => {
  let body = '{"ReservedConcurrentExecutions":1}';
  const server = http.createServer((req, res) => {
    req.resume().on('end', () => res.writeHead(200, { 'Content-Type': 'application/json', 'x-amzn-RequestId': ID }).end(body));
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  const { port } = server.address();
  const target = '/2019-09-30/functions/f/concurrency';
  const raw = () => new Promise((done, fail) => {
    http.request({ host: '127.0.0.1', port, path: target }, (res) => res.resume().on('end', done)).on('error', fail).end();
  });
  const sdk = new LambdaClient({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', maxAttempts: 1,
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' } });
  const asked = () => sdk.send(new GetFunctionConcurrencyCommand({ FunctionName: 'f' }));
  try {
    body = '{"Wrong":1}';
    await raw();
    model.verify(port); /* nobody watches it yet */
    model.watch(port);
    body = '{"ReservedConcurrentExecutions":1}';
    await raw();
    assert.equal((await asked()).ReservedConcurrentExecutions, 1, 'the client gets all of the answer');
    model.verify(port);
    body = '{"ReservedConcurrentExecutions":"1"}';
    for (const client of [raw, asked]) {
      await client();
      assert.throws(() => model.verify(port), /lambda GetFunctionConcurrency, 200: .*ReservedConcurrentExecutions is not a integer/);
      model.verify(port); /* told once */
    }
  } finally {
    sdk.destroy();
    server.close();
    server.closeAllConnections();
  }
});
