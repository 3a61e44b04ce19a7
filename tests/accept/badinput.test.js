/* What does not fit the model, for every operation of Lambda and its neighbours: 4xx in AWS's form (lib/model.js looks at
 * each answer), or 501 where there is nothing yet; never a 5xx, never silence, and nothing changed. */
'use strict';
const assert = require('node:assert/strict');
const { test, before, after } = require('node:test');
const { Lambkin, zip } = require('./lib/lambkin');
const model = require('./lib/model');
const { Generator, target, request } = require('./lib/badinput');

const lambda = model.load().find((s) => s.name === 'lambda');
const generator = new Generator(lambda);
const neighbours = model.load().filter((s) => s.protocol !== 'rest-json');
const operations = Object.values(lambda.operations);
/* What reads the neighbours' state. */
const LISTS = ['DescribeLogGroups', 'DescribeLogStreams', 'ListTagsLogGroup', 'ListRoles', 'GetRole', 'ListRolePolicies', 'ListAttachedRolePolicies', 'ListUsers',
  'GetUser', 'ListPolicies', 'ListAccessKeys', 'ListRoleTags'];
const statement = (rest) => ({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...rest }] });
const TRUST = statement({ Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' });
const ALLOW = statement({ Action: 'logs:*', Resource: '*' });
const PATIENCE = { timeout: 20000 };
let lk;
let was;

/* All that exists: what every operation that only reads says of it, revisions included. */
async function everything() {
  const found = {};
  for (const service of model.load()) {
    const own = new Generator(service);
    for (const op of Object.values(service.operations).filter((o) => (service === lambda ? o.http.method === 'GET' : LISTS.includes(o.name)))) {
      const { method, where, headers, body } = request(service, op, own.valid(op));
      const answer = await lk.request(method, where, body, { Authorization: lk.authorization(), ...headers });
      const said = answer.text.replace(/"(Location|LogGroupLocation)":"[^"]*"|<RequestId>.*?<\/RequestId>/g, '');
      found[`${op.name} ${where}`] = answer.status === 501 ? 'not implemented' : `${answer.status} ${said}`;
    }
  }
  found.versions = (await lk.api('GET', '/2015-03-31/functions?FunctionVersion=ALL')).text;
  return found;
}

/* One of everything, under the name that the valid requests use. */
async function populate() {
  const code = zip({ 'app.py': 'def handler(event, context):\n    return event\n' });
  await lk.create('victim', code, { Tags: { victim: 'victim' } });
  const one = '/functions/victim';
  const steps = [['POST', `/2015-03-31${one}/versions`, {}], ['POST', `/2015-03-31${one}/aliases`, { Name: 'victim', FunctionVersion: '1' }],
    ['POST', `/2015-03-31${one}/policy`, { StatementId: 'victim', Action: 'lambda:InvokeFunction', Principal: 's3.amazonaws.com' }],
    ['POST', `/2015-03-31${one}/policy?Qualifier=victim`, { StatementId: 'victim', Action: 'lambda:InvokeFunction', Principal: 's3.amazonaws.com' }],
    ['PUT', `/2017-10-31${one}/concurrency`, { ReservedConcurrentExecutions: 5 }],
    ['PUT', `/2019-09-25${one}/event-invoke-config`, { MaximumRetryAttempts: 1 }],
    ['PUT', `/2019-09-25${one}/event-invoke-config?Qualifier=victim`, { MaximumRetryAttempts: 1 }],
    ['POST', `/2021-10-31${one}/url`, { AuthType: 'NONE' }], ['POST', `/2021-10-31${one}/url?Qualifier=victim`, { AuthType: 'NONE' }],
    ['PUT', `/2024-08-31${one}/recursion-config`, { RecursiveLoop: 'Allow' }],
    ['POST', '/2018-10-31/layers/victim/versions', { Content: { ZipFile: zip({ 'python/x.py': '' }).toString('base64') } }],
    ['POST', '/2018-10-31/layers/victim/versions/1/policy', { StatementId: 'victim', Action: 'lambda:GetLayerVersion', Principal: '*' }],
    ['POST', '/2020-04-22/code-signing-configs', { AllowedPublishers: { SigningProfileVersionArns: ['arn:aws:signer:us-east-1:000000000000:/signing-profiles/victim/abcdefghij'] } }]];
  for (const [method, path, body] of steps) {
    const answer = await lk.api(method, path, body);
    assert.ok(answer.status < 300 || answer.status === 501, `${method} ${path}: ${answer.status} ${answer.text}`);
  }
  for (const service of neighbours) {
    for (const name of ['CreateLogGroup', 'CreateRole', 'CreateUser', 'CreatePolicy'].filter((n) => service.operations[n])) {
      const parts = { body: { logGroupName: 'victim', RoleName: 'victim', UserName: 'victim', PolicyName: 'victim',
        AssumeRolePolicyDocument: JSON.stringify(TRUST), PolicyDocument: JSON.stringify(ALLOW) } };
      const known = service.shapes[service.operations[name].input].members;
      parts.body = Object.fromEntries(Object.entries(parts.body).filter(([k]) => known[k]));
      const { method, where, headers, body } = request(service, { name }, parts);
      const answer = await lk.request(method, where, body, headers);
      assert.ok(answer.status < 300 || answer.status === 501, `${name}: ${answer.status} ${answer.text}`);
    }
  }
}

before(async () => {
  lk = await Lambkin.start();
  await populate();
  was = await everything();
});
after(async () => {
  await lk.stop();
});

/* One fault may break several constraints, and others with it (of two members, say): those that are meant must be told. */
function misworded(answer, words) {
  const said = answer.json ? answer.json.message : /<Message>(.*?)<\/Message>/s.exec(answer.text)[1]
    .replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&quot;/g, '"').replace(/&apos;|&#39;/g, "'").replace(/&amp;/g, '&');
  if (words.length === 1 && said === words[0]) return undefined; /* a shape with words of its own */
  const [, count, rest] = /^(\d+) validation errors? detected: (.*)$/s.exec(said) || [];
  if (!rest || (count === '1') !== /^1 validation error detected/.test(said)) return `no list of errors: ${said}`;
  const missing = words.filter((w) => !rest.includes(w));
  if (missing.length) return `not said: ${missing.join(' / ')}\n    but: ${said}`;
  return words.length === Number(count) ? undefined : `${count} errors, not ${words.length}: ${said}`;
}

/* Sends one request and says what is wrong with the answer, if anything. */
async function refused(method, where, body, headers = {}, { kind, at, words } = {}) {
  let answer;
  try {
    answer = await lk.request(method, where, body, { 'Content-Type': 'application/json', Authorization: lk.authorization(), ...headers }, PATIENCE);
  } catch (error) {
    return error.message;
  }
  const code = answer.headers['x-amzn-errortype'] || /<Code>(.*?)<\/Code>/.exec(answer.text)?.[1];
  if (answer.status === 501 && /^NotImplemented/.test(code)) return undefined;
  if (answer.status < 400 || answer.status >= 500) return `${answer.status} ${answer.text.slice(0, 200)}`;
  if (!code && method !== 'HEAD') return `${answer.status} without x-amzn-ErrorType: ${answer.text.slice(0, 200)}`;
  if (kind && answer.status !== 400 && answer.status !== 413) return `${answer.status} ${code}, not 400: ${answer.text.slice(0, 200)}`;
  if (words && /^Validation/.test(code)) return misworded(answer, words);
  return undefined;
}

async function sweep(requests) {
  const wrong = [];
  let count = 0;
  for await (const { name, what, method, where, body, headers, expect } of requests) {
    const problem = await refused(method, where, body, headers, expect);
    count++;
    if (problem) wrong.push(`${name}: ${what}: ${problem}`);
  }
  assert.ok(count > 0);
  const now = await everything();
  for (const path of Object.keys(was)) if (now[path] !== was[path]) wrong.push(`${path} changed:\n    ${was[path]}\n    ${now[path]}`);
  was = now;
  assert.equal(wrong.length, 0, `${wrong.length} of ${count}:\n  ${wrong.slice(0, 60).join('\n  ')}`);
}

const text = (parts) => (parts.body === undefined || typeof parts.body === 'string' ? parts.body : JSON.stringify(parts.body));

test('every pattern has a value that fits it', () => {
  for (const op of operations) for (const _ of generator.broken(op)); /* makes all of them */
  assert.deepEqual([...generator.withoutSample], []);
});

for (const op of operations) {
  test(`${op.name}: every member broken in every way`, async () => {
    await sweep((function* requests() {
      for (const { what, at, kind, parts, words } of generator.broken(op)) {
        yield { name: op.name, what, method: op.http.method, where: target(op, parts), body: text(parts), headers: parts.headers, expect: { kind, at, words } };
      }
      yield { name: op.name, what: 'a label that is no text', method: op.http.method, where: target(op, generator.valid(op)).replace(/\/[^/?]*(\?|$)/, '/%ff%zz$1') };
      for (const [name, { location, locationName }] of Object.entries(lambda.shapes[op.input].members)) {
        for (const value of location === 'querystring' ? ['%zz', '%', '%00', '%4'] : []) {
          const where = target(op, generator.valid(op));
          yield { name: op.name, what: `${name}=${value}`, method: op.http.method, where: `${where}${where.includes('?') ? '&' : '?'}${locationName}=${value}`,
            body: text(generator.valid(op)), headers: generator.valid(op).headers };
        }
      }
    })());
  });
}

/* Bodies that are no JSON object. Invoke's may be any JSON. */
const BODIES = { cut: '{"a":', list: '[]', 'a list of objects': '[{}]', text: '"x"', number: '1', word: 'nonsense', 'two values': '{}{}', 'a comma': '{"a":1,}',
  'no UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), 'a byte order mark': '\ufeff{}', deep: '['.repeat(200000), 'deep objects': '{"a":'.repeat(100000),
  'a zero byte': '{"a":"b\0"}', 'an escaped surrogate': '{"a":"\\ud800"}', XML: '<a/>', form: 'a=b&c=d', single: "{'a':1}", zip: Buffer.from('PK\x03\x04') };

test('bodies that are no JSON object', async () => {
  await sweep((function* requests() {
    for (const op of operations.filter((o) => generator.takesBody(o) && !lambda.shapes[o.input].payload && !/^InvokeAsync/.test(o.name))) {
      for (const [what, body] of Object.entries(BODIES)) {
        yield { name: op.name, what, method: op.http.method, where: target(op, generator.valid(op)), body, headers: generator.valid(op).headers };
      }
    }
    for (const what of ['cut', 'word', 'two values', 'a comma', 'no UTF-8', 'deep', 'XML', 'form']) {
      yield { name: 'Invoke', what, method: 'POST', where: '/2015-03-31/functions/victim/invocations', body: BODIES[what] };
    }
  })());
});

test('oversized bodies', async () => {
  const body = Buffer.alloc(6291457, 0x20);
  body[0] = 0x7b;
  body[body.length - 1] = 0x7d;
  for (const op of operations.filter((o) => generator.takesBody(o))) {
    if (['CreateFunction', 'UpdateFunctionCode', 'PublishLayerVersion'].includes(op.name)) continue; /* these take zips: functions.test.js */
    const answer = await lk.request(op.http.method, target(op, generator.valid(op)), body, { 'Content-Type': 'application/json' }, PATIENCE);
    assert.ok([400, 413, 501].includes(answer.status), `${op.name}: ${answer.status} ${answer.text}`);
  }
  assert.deepEqual(await everything(), was);
});

test('methods that a path does not have, and paths that there are not', async () => {
  const byPath = new Map();
  for (const op of operations) {
    const path = target(op, generator.valid(op)).split('?')[0];
    byPath.set(path, [...(byPath.get(path) || []), op.http.method]);
  }
  const all = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'];
  await sweep((function* requests() {
    for (const [where, has] of byPath) {
      for (const method of all.filter((m) => !has.includes(m))) {
        yield { name: method, what: where, method, where, body: ['POST', 'PUT', 'PATCH'].includes(method) ? '{}' : undefined };
      }
      for (const longer of [`${where}/x`, `${where}//`, `/${where}`, where.replace(/^\/[^/]*/, '/2000-01-01'), where.toUpperCase()]) {
        if ([...byPath.keys()].some((p) => p.split('/').length === longer.split('/').length && p === longer)) continue;
        if (model.find({ method: has[0], target: longer, headers: {}, body: Buffer.alloc(0) })) continue;
        yield { name: has[0], what: longer, method: has[0], where: longer, body: has[0] === 'GET' ? undefined : '{}' };
      }
    }
    for (const where of ['/', '/x', '/2015-03-31', '/2015-03-31/', '/..', '/%2e%2e/etc/passwd', '/?Action=Nonsense', '/_lambkin', '/_lambkin/nonsense',
      '/2015-03-31/functions/..%2f..', `/${'x'.repeat(4000)}`, `/2015-03-31/functions/${'x'.repeat(4000)}`]) {
      yield { name: 'GET', what: where.slice(0, 60), method: 'GET', where };
    }
  })());
});

/* None of these is a function's name. */
const NAMES = ["'; DROP TABLE functions; --", '" OR "1"="1', "x' UNION SELECT * FROM functions --", '../../etc/passwd', 'a/b', 'a\0b', 'a\nb', 'a\r\nX-Injected: 1', 'ünïcödé', '名前',
  '𝒻𝓃', '\u202evictim', 'victim ', ' victim', 'victim\u0000', '%', '%%', '*', '?', '#', ':', '::', ':victim', 'victim:', 'victim::a', 'victim:a:b', '$LATEST', 'arn:aws:lambda',
  'arn:aws:lambda:us-east-1:000000000000:function:', 'arn:aws:lambda:us-east-1:999999999999:function:victim:x:y', '{"a":1}', '<script>', 'x'.repeat(141), 'x'.repeat(8000), '${jndi:x}', '()'];

test('names in other alphabets, and such that mean something elsewhere', async () => {
  await sweep((function* requests() {
    for (const op of operations.filter((o) => o.http.requestUri.includes('{') && !lambda.shapes[o.input].payload)) {
      for (const name of NAMES) {
        const parts = generator.valid(op);
        for (const label of Object.keys(parts.labels)) parts.labels[label] = name;
        /* deleting what is not there is no error (facts 17, 53, 96), and nothing is deleted */
        if (op.http.method === 'DELETE' && /^[\w$-]+$/.test(name)) continue;
        yield { name: op.name, what: JSON.stringify(name.slice(0, 60)), method: op.http.method, where: target(op, parts), body: text(parts), headers: parts.headers };
      }
    }
  })());
});

test('pages that there are not', async () => {
  await sweep((function* requests() {
    for (const op of operations.filter((o) => lambda.shapes[o.input].members.MaxItems)) {
      for (const query of ['MaxItems=0', 'MaxItems=-1', 'MaxItems=10001', 'MaxItems=x', 'MaxItems=', 'MaxItems=1e3', 'MaxItems=9223372036854775808']) {
        const where = target(op, generator.valid(op));
        yield { name: op.name, what: query, method: 'GET', where: `${where}${where.includes('?') ? '&' : '?'}${query}`, expect: { kind: 'page' } };
      }
      for (const marker of ['x', '%00', '%ff', "'%20OR%201%3D1", 'AAAA', `${'A'.repeat(5000)}`, '%7B%7D']) {
        const where = target(op, generator.valid(op));
        yield { name: op.name, what: `Marker=${marker.slice(0, 20)}`, method: 'GET', where: `${where}${where.includes('?') ? '&' : '?'}Marker=${marker}`, expect: { kind: 'page' } };
      }
    }
  })());
});

/* ---- the neighbours ---- */

/* What a form can say wrongly: it knows no types, and what is empty is absent. */
function* brokenForms(own, service, op) {
  for (const broken of own.broken(op)) {
    if (broken.kind === 'constraint' && !/ (too few|null)$/.test(broken.what)) yield broken;
  }
  for (const [name, { shape }] of Object.entries(own.input(op).members)) {
    const wrong = { integer: ['x', '1.5', ' 1', '0x5', '99999999999999999999'], boolean: ['maybe', '1'], timestamp: ['x'], structure: ['x'], list: ['x'] };
    for (const value of wrong[service.shapes[shape].type] || []) {
      const parts = own.valid(op);
      parts.body[name] = value;
      yield { what: `${name}=${value}`, kind: 'type', at: name, parts };
    }
  }
}

for (const service of neighbours) {
  const own = new Generator(service);
  test(`${service.name}: every member broken in every way`, async () => {
    await sweep((function* requests() {
      for (const op of Object.values(service.operations)) {
        for (const { what, at, kind, parts, words } of service.protocol === 'query' ? brokenForms(own, service, op) : own.broken(op)) {
          yield { name: op.name, what, ...request(service, op, parts), expect: { kind, at, words } };
        }
      }
    })());
    assert.deepEqual([...own.withoutSample], []);
  });
}

test('AWS JSON: bodies that are no JSON object, operations that there are not', async () => {
  await sweep((function* requests() {
    for (const service of neighbours.filter((s) => s.protocol === 'json')) {
      const own = new Generator(service);
      for (const op of Object.values(service.operations)) {
        const good = request(service, op, own.valid(op));
        for (const [what, body] of Object.entries(BODIES)) yield { name: op.name, what, ...good, body };
      }
      for (const name of ['Nonsense', '', 'describeloggroups', 'x'.repeat(5000), "'; DROP TABLE"]) {
        const good = request(service, { name }, { body: {} });
        yield { name: 'target', what: name.slice(0, 20), ...good };
        yield { name: 'another target', what: name.slice(0, 20), ...good, headers: { ...good.headers, 'X-Amz-Target': `Nonsense.${name}` } };
      }
    }
  })());
});

const FORMS = { empty: '', escape: 'Action=%zz', 'half an escape': 'Action=%4', 'no value': 'Action', separators: '&&&=&=', zero: 'Action=%00', JSON: '{}', XML: '<a/>',
  binary: Buffer.from([0xff, 0xfe, 0x00, 0x26, 0x3d]), 'no version': 'Action=ListRoles', 'another version': 'Action=ListRoles&Version=2000-01-01',
  'no such action': 'Action=Nonsense&Version=2010-05-08', 'twice': 'Action=GetRole&Action=ListRoles&Version=2010-05-08',
  'many pairs': `Action=CreateRole&Version=2010-05-08${'&a=b'.repeat(300000)}`, deep: `Action=CreateRole&Version=2010-05-08&${'a.'.repeat(100000)}a=1`,
  'a far member': 'Action=TagRole&Version=2010-05-08&RoleName=x&Tags.member.4294967295.Key=a', 'member 0': 'Action=TagRole&Version=2010-05-08&RoleName=x&Tags.member.0.Key=a',
  'member -1': 'Action=TagRole&Version=2010-05-08&RoleName=x&Tags.member.-1.Key=a', 'a member of text': 'Action=TagRole&Version=2010-05-08&RoleName.x=1',
  'no UTF-8': 'Action=GetRole&Version=2010-05-08&RoleName=%ff%fe' };

test('Query: forms that are none', async () => {
  await sweep((function* requests() {
    for (const scope of ['iam', 'sts']) {
      const headers = { 'Content-Type': 'application/x-www-form-urlencoded', Authorization: lk.authorization().replace('/lambda/', `/${scope}/`) };
      for (const [what, body] of Object.entries(FORMS)) {
        yield { name: scope, what, method: 'POST', where: '/', body, headers };
        if (typeof body === 'string' && body.length < 8000) yield { name: `${scope} GET`, what, method: 'GET', where: `/?${body.replace(/[{}<> ]/g, '_')}`, headers };
      }
    }
  })());
});
