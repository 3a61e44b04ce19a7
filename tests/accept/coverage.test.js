/* docs/api-coverage.md says what this build does: the operations come from spec/, whether there is a handler from a
 * started lambkin, what a handler lacks from docs/coverage-notes.json. With COVERAGE_WRITE=1 the page is written anew. */
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Lambkin, TOP } = require('./lib/lambkin');

const PAGE = path.join(TOP, 'docs/api-coverage.md');
const NOTES = path.join(TOP, 'docs/coverage-notes.json');
const RENEW = 'COVERAGE_WRITE=1 tests/accept/run coverage.test.js';

/* Lambda first, then its neighbours; files without operations describe what is stored. */
function services() {
  const names = fs.readdirSync(path.join(TOP, 'spec')).filter((f) => f.endsWith('.json')).map((f) => f.slice(0, -5)).sort();
  return ['lambda', ...names.filter((n) => n !== 'lambda')]
    .map((name) => ({ name, spec: JSON.parse(fs.readFileSync(path.join(TOP, `spec/${name}.json`))) }))
    .map(({ name, spec }) => ({ name, title: spec.metadata.serviceId, operations: Object.keys(spec.operations).sort() }))
    .filter((service) => service.operations.length > 0);
}

function state(name, handled, notes) {
  if (!handled.includes(name)) return 'no |';
  return notes[name] ? `partial | ${notes[name]}` : 'yes |';
}

function section({ title, operations }, handled, notes) {
  const full = operations.filter((o) => handled.includes(o) && !notes[o]).length;
  const partial = operations.filter((o) => handled.includes(o) && notes[o]).length;
  return [`## ${title}`, '',
    `${operations.length} operations: ${full} implemented, ${partial} partial, ${operations.length - full - partial} not.`, '',
    '| operation | implemented | what is missing |', '|---|---|---|',
    ...operations.map((o) => `| ${o} | ${state(o, handled, notes)} |`), ''];
}

test('docs/api-coverage.md is up to date', async () => {
  const lk = await Lambkin.start();
  let handled;
  try {
    handled = (await lk.request('GET', '/_lambkin/operations')).json;
  } finally {
    await lk.stop();
  }
  const notes = JSON.parse(fs.readFileSync(NOTES));
  const all = services();
  assert.deepEqual(Object.keys(handled).sort(), all.map((s) => s.name).sort(), 'every service of spec/ is routed');
  assert.equal(all[0].operations.length, 85);
  for (const [service, rows] of Object.entries(notes)) {
    for (const name of Object.keys(rows)) {
      assert.ok(handled[service]?.includes(name), `docs/coverage-notes.json: ${service} ${name} has no handler`);
    }
  }
  const page = ['# What is implemented of each API', '',
    'Printed by `tests/accept/coverage.test.js` from the tables in `spec/`, from what a started lambkin has handlers for and from',
    `\`docs/coverage-notes.json\`, which says what a handler lacks. \`${RENEW}\` renews it.`,
    'What is not implemented answers 501 `NotImplementedException`.', '',
    ...all.flatMap((s) => section(s, handled[s.name], notes[s.name] || {}))].join('\n');
  if (process.env.COVERAGE_WRITE) fs.writeFileSync(PAGE, page);
  const have = fs.existsSync(PAGE) ? fs.readFileSync(PAGE, 'utf8') : '';
  if (have !== page) {
    const [was, is] = [have.split('\n'), page.split('\n')];
    const changed = is.filter((line) => !was.includes(line));
    assert.fail(`docs/api-coverage.md is out of date; renew it by\n    ${RENEW}\nnew lines:\n${changed.join('\n')}`);
  }
});
