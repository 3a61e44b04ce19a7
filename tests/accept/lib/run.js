/* Runs test files two at a time; prints failures as they come, the slowest files and tests, and a closing line. */
'use strict';
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { run } = require('node:test');
const { inspect } = require('node:util');

/* Of a complete run: what docs/api-coverage.md calls implemented must have been seen to succeed. */
const SPEC = path.join(__dirname, '../../../spec');
const SERVICES = Object.fromEntries(fs.readdirSync(SPEC).filter((f) => f.endsWith('.json'))
  .map((f) => [JSON.parse(fs.readFileSync(path.join(SPEC, f))).metadata.serviceId, f.slice(0, -5)]));
function unseen(file) {
  const seen = new Set(fs.readFileSync(file, 'utf8').split('\n'));
  const found = [];
  let service;
  for (const line of fs.readFileSync(path.join(__dirname, '../../../docs/api-coverage.md'), 'utf8').split('\n')) {
    const [, title] = /^## (.*)/.exec(line) || [];
    if (title) service = SERVICES[title];
    const [, name] = /^\| (\w+) \| (?:yes|partial) \|/.exec(line) || [];
    if (name && !seen.has(`${service} ${name}`)) found.push(`${service} ${name}`);
  }
  return found;
}

/* The longest first, so that it is not alone at the end. */
const files = process.argv.slice(2).map((f) => path.resolve(f)).sort((a, b) => b.endsWith('scenarios.test.js') - a.endsWith('scenarios.test.js'));
const count = { pass: 0, fail: 0, skip: 0 };
const times = [];
const spans = new Map(); // file: when its first test ended, and its last, with the first one's own time

function describe(error) {
  const cause = error?.cause ?? error;
  return typeof cause === 'string' ? cause : inspect(cause, { depth: 4, breakLength: 120 });
}

const answered = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'lambkin-answered-')), 'operations');
fs.writeFileSync(answered, '');
process.env.LK_ANSWERED = answered;
process.on('exit', () => fs.rmSync(path.dirname(answered), { recursive: true }));
const complete = process.env.LK_COMPLETE === '1';

const begun = Date.now();
const seen = new Set();
run({ files, concurrency: 2, timeout: 480000 })
  .on('test:pass', ({ name, details, nesting, skip, file }) => {
    if (details.type === 'suite' || (nesting === 0 && files.includes(name))) return;
    if (skip !== undefined && skip !== false) {
      count.skip++;
      console.log(`skipped  ${name}: ${skip}`);
      return;
    }
    count.pass++;
    const span = spans.get(file) || { from: Date.now() - details.duration_ms };
    spans.set(file, { ...span, to: Date.now() });
    times.push({ name: `${path.basename(file || '')}: ${name}`, ms: details.duration_ms });
  })
  .on('test:fail', ({ name, details, nesting, file }) => {
    const type = details.error?.failureType;
    if (type === 'subtestsFailed') return;
    count.fail++;
    console.log(`FAILED  ${path.basename(file || '')}: ${name}\n${describe(details.error)}\n`);
  })
  .on('test:stdout', ({ message }) => process.stdout.write(message))
  .on('test:stderr', ({ message }) => process.stderr.write(message))
  .on('test:diagnostic', () => {})
  .on('end', () => {
    const slowest = (list) => list.sort((a, b) => b.ms - a.ms).slice(0, 10);
    const long = [...spans].map(([file, { from, to }]) => ({ name: path.basename(file || ''), ms: to - from }));
    for (const t of [...slowest(long), ...slowest(times)]) console.log(`${(t.ms / 1000).toFixed(1).padStart(6)} s  ${t.name}`);
    for (const operation of complete && count.skip === 0 ? unseen(answered) : []) {
      count.fail++;
      console.log(`FAILED  no test saw ${operation} succeed`);
    }
    console.log(`${count.pass} passed, ${count.fail} failed, ${count.skip} skipped in ${
      ((Date.now() - begun) / 1000).toFixed(0)} s`);
    process.exitCode = count.fail > 0 || count.pass === 0 ? 1 : 0;
  })
  .resume();
