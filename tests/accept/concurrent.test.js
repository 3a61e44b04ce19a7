/* Many callers at once on one thing: one wins, the others get the recorded error, and what the winner was told is what stays,
 * also after kill -9. */
'use strict';
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { test, before, after } = require('node:test');
const { Lambkin, ROLE, sleep, until, zip } = require('./lib/lambkin');

const CODE = zip({ 'app.py': 'def handler(event, context):\n    return event\n' });
const MANY = 16;
const BUSY = /^The operation cannot be performed at this time\. An update is in progress for resource: /;
let lk;
before(async () => {
  lk = await Lambkin.start();
});
after(async () => {
  await lk.stop();
});

const at = (name, rest = '') => `/2015-03-31/functions/${name}${rest}`;
const all = (make) => Promise.all(Array.from({ length: MANY }, (_, n) => make(n)));

/* Exactly one success; the others as they may be. Answers the winner's number. */
function oneWins(answers, status, losers) {
  const won = answers.flatMap((a, n) => (a.status === status ? [n] : []));
  assert.equal(won.length, 1, answers.map((a) => `${a.status} ${a.text}`).join('\n'));
  for (const [n, a] of answers.entries()) {
    if (n === won[0]) continue;
    const [code, text] = losers[a.status] || [];
    assert.equal(a.headers['x-amzn-errortype'], code, `${a.status} ${a.text}`);
    assert.match(a.json.message ?? a.json.Message, text);
  }
  return won[0];
}

test('creating one function', async () => {
  const answers = await all((n) => lk.api('POST', '/2015-03-31/functions', { FunctionName: 'one', Runtime: 'python3.11', Handler: 'app.handler', Role: ROLE,
    Description: `by ${n}`, Code: { ZipFile: CODE.toString('base64') } }));
  const winner = oneWins(answers, 201, { 409: ['ResourceConflictException', /./] });
  assert.equal((await lk.settled('one')).Description, `by ${winner}`);
});

test('updating a function from one revision', async () => {
  await lk.create('update', CODE);
  const { RevisionId } = await lk.settled('update');
  const answers = await all((n) => lk.api('PUT', at('update', '/configuration'), { Description: `by ${n}`, RevisionId }));
  const winner = oneWins(answers, 200, { 409: ['ResourceConflictException', BUSY],
    412: ['PreconditionFailedException', /^The Revision Id provided does not match the latest Revision Id\./] });
  assert.equal((await lk.settled('update')).Description, `by ${winner}`);
});

test('updating code and configuration of a function', async () => {
  await lk.create('both', CODE);
  const answers = await all((n) => (n % 2
    ? lk.api('PUT', at('both', '/configuration'), { Description: `by ${n}` })
    : lk.api('PUT', at('both', '/code'), { ZipFile: zip({ 'app.py': `# ${n}\n` }).toString('base64') })));
  const won = answers.filter((a) => a.status === 200);
  assert.ok(won.length >= 1);
  for (const a of answers.filter((x) => x.status !== 200)) {
    assert.equal(a.status, 409, a.text);
    assert.match(a.json.message, BUSY);
  }
  const now = await lk.settled('both');
  assert.ok(won.some((a) => a.json.CodeSha256 === now.CodeSha256));
  assert.ok(won.some((a) => a.json.Description === now.Description));
});

test('publishing what has not changed', async () => {
  await lk.create('publish', CODE);
  const answers = await all(() => lk.api('POST', at('publish', '/versions'), {}));
  for (const a of answers.filter((x) => x.status !== 409)) assert.deepEqual([a.status, a.json.Version], [201, '1'], a.text);
  for (const a of answers.filter((x) => x.status === 409)) assert.match(a.json.message, BUSY);
  assert.ok(answers.some((a) => a.status === 201));
  assert.equal((await lk.api('GET', at('publish', '/versions'))).json.Versions.length, 2);
});

test('one alias, one statement, one URL', async () => {
  await lk.create('parts', CODE);
  oneWins(await all(() => lk.api('POST', at('parts', '/aliases'), { Name: 'a', FunctionVersion: '$LATEST' })), 201,
    { 409: ['ResourceConflictException', /^Alias already exists: /] });
  oneWins(await all(() => lk.api('POST', at('parts', '/policy'), { StatementId: 's', Action: 'lambda:InvokeFunction', Principal: 's3.amazonaws.com' })), 201,
    { 409: ['ResourceConflictException', /^The statement id \(s\) provided already exists\./] });
  oneWins(await all(() => lk.api('POST', at('parts', '/url').replace('2015-03-31', '2021-10-31'), { AuthType: 'NONE' })), 201,
    { 409: ['ResourceConflictException', /FunctionUrlConfig exists for this Lambda function/] });
  const { RevisionId } = (await lk.api('GET', at('parts', '/aliases/a'))).json;
  oneWins(await all((n) => lk.api('PUT', at('parts', '/aliases/a'), { Description: `by ${n}`, RevisionId })), 200,
    { 412: ['PreconditionFailedException', /Revision Id provided does not match/] });
});

test('statements of one policy: all of them are there', async () => {
  await lk.create('policy', CODE);
  const answers = await all((n) => lk.api('POST', at('policy', '/policy'), { StatementId: `s${n}`, Action: 'lambda:InvokeFunction', Principal: 's3.amazonaws.com' }));
  for (const a of answers) assert.equal(a.status, 201, a.text);
  const { Statement } = JSON.parse((await lk.api('GET', at('policy', '/policy'))).json.Policy);
  assert.deepEqual(Statement.map((s) => s.Sid).sort(), answers.map((_, n) => `s${n}`).sort());
});

test('versions of a layer: each its own number', async () => {
  const answers = await all((n) => lk.api('POST', '/2018-10-31/layers/many/versions', { Content: { ZipFile: zip({ x: `${n}` }).toString('base64') } }));
  for (const a of answers) assert.equal(a.status, 201, a.text);
  assert.deepEqual(answers.map((a) => a.json.Version).sort((a, b) => a - b), answers.map((_, n) => n + 1));
});

test('the account\'s concurrency is not given away twice', async () => {
  await all((n) => lk.create(`reserve-${n}`, CODE));
  const answers = await all((n) => lk.api('PUT', `/2017-10-31/functions/reserve-${n}/concurrency`, { ReservedConcurrentExecutions: 100 }));
  const granted = answers.filter((a) => a.status === 200);
  assert.equal(granted.length, 9, 'all but the minimum of 100');
  for (const a of answers.filter((x) => x.status !== 200)) assert.match(a.json.message, /below its minimum value of \[100\]/);
  assert.equal((await lk.api('GET', '/2016-08-19/account-settings')).json.AccountLimit.UnreservedConcurrentExecutions, 100);
});

test('deleting one function', async () => {
  await lk.create('gone', CODE);
  oneWins(await all(() => lk.api('DELETE', at('gone'))), 204, { 404: ['ResourceNotFoundException', /^Function not found: /],
    409: ['ResourceConflictException', BUSY] });
});

test('what is put on a function while it is deleted is not the next one\'s', async () => {
  for (let round = 0; round < 10; round++) {
    await lk.create('heir', CODE);
    await Promise.all([
      lk.api('DELETE', at('heir')),
      lk.api('POST', at('heir', '/policy'), { StatementId: 's', Action: 'lambda:InvokeFunction', Principal: '*' }),
      lk.api('POST', at('heir', '/aliases'), { Name: 'a', FunctionVersion: '$LATEST' }),
      lk.api('POST', '/2021-10-31/functions/heir/url', { AuthType: 'NONE' }),
      lk.api('PUT', '/2019-09-25/functions/heir/event-invoke-config', { MaximumRetryAttempts: 0 }),
    ]);
    await lk.create('heir', CODE);
    for (const path of [at('heir', '/policy'), at('heir', '/aliases/a'), '/2021-10-31/functions/heir/url', '/2019-09-25/functions/heir/event-invoke-config']) {
      const answer = await lk.api('GET', path);
      assert.equal(answer.status, 404, `${path}: ${answer.text}`);
    }
    await lk.api('DELETE', at('heir'));
  }
});

test('a layer that is deleted while a function with it is made', async () => {
  let lost = 0;
  for (let round = 0; round < 12; round++) {
    const layer = (await lk.api('POST', '/2018-10-31/layers/short/versions', { Content: { ZipFile: zip({ x: `${round}` }).toString('base64') } })).json;
    const code = zip({ 'app.py': 'def handler(e, c): return open("/opt/x").read()\n', big: { data: crypto.randomBytes(8e6), store: true } });
    const made = lk.api('POST', '/2015-03-31/functions', { FunctionName: `short${round}`, Runtime: 'python3.11', Handler: 'app.handler', Role: ROLE,
      Layers: [layer.LayerVersionArn], Code: { ZipFile: code.toString('base64') } });
    await sleep(20 * round); /* before, while or after it is made: any is fine */
    assert.equal((await lk.api('DELETE', `/2018-10-31/layers/short/versions/${layer.Version}`)).status, 204);
    const answer = await made;
    if (answer.status === 201) {
      await lk.settled(`short${round}`);
      assert.equal(await lk.call(`short${round}`, {}), `${round}`);
    } else {
      lost++;
      assert.deepEqual([answer.status, answer.json.message], [400, `Layer version ${layer.LayerVersionArn} does not exist.`]);
    }
  }
  assert.ok(lost > 0, 'the first at least');
});

test('an alias does not lead to a version that is being deleted', async () => {
  await lk.create('versioned', CODE);
  for (let round = 0; round < 10; round++) {
    await lk.api('PUT', at('versioned', '/code'), { ZipFile: zip({ 'app.py': `# ${round}\n` }).toString('base64') });
    await lk.settled('versioned');
    const { Version } = (await lk.api('POST', at('versioned', '/versions'), {})).json;
    const [gone, made] = await Promise.all([
      lk.api('DELETE', at('versioned', `?Qualifier=${Version}`)),
      lk.api('POST', at('versioned', '/aliases'), { Name: `a${round}`, FunctionVersion: Version }),
    ]);
    assert.ok((gone.status === 204) !== (made.status === 201), `one of them: ${gone.status} ${made.status}`);
  }
});

test('all of it is the same after kill -9', async () => {
  const look = async () => {
    const found = [];
    for (const path of ['/2015-03-31/functions?FunctionVersion=ALL', '/2018-10-31/layers', '/2018-10-31/layers/many/versions', at('parts', '/aliases'), at('parts', '/policy'),
      at('policy', '/policy'), at('publish', '/versions'), '/2016-08-19/account-settings']) {
      const answer = await lk.api('GET', path);
      assert.equal(answer.status, 200, `${path}: ${answer.text}`);
      found.push(answer.text);
    }
    return found;
  };
  const was = await look();
  const { daemon } = lk;
  await lk.signal('SIGKILL', daemon);
  await until(() => lk.daemon && lk.daemon !== daemon && lk.api('GET', '/2015-03-31/functions').then((a) => a.status === 200, () => false), 'the next daemon');
  assert.deepEqual(await look(), was);
});
