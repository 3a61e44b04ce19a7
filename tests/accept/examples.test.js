/* Each folder of examples/ is deployed by the command that its README has, and greets. */
'use strict';
const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test, before, after } = require('node:test');
const { Lambkin, BUILD, TOP, cleanEnv } = require('./lib/lambkin');

const readme = fs.readFileSync(path.join(TOP, 'examples/README.md'), 'utf8');
const commands = new Map([...readme.matchAll(/^\| `([^`]+)` \|.*\| `([^`]+)` \|$/gm)].map(([, folder, command]) => [folder, command]));
/* what is for a layer has a test of its own: extensions.test.js */
const folders = fs.readdirSync(path.join(TOP, 'examples')).filter((name) => name.startsWith('hello-')); // others are no functions

let lk;
let dir; // looks like a checkout that has been built; what the commands make stays out of the real one

before(async () => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'lambkin-examples-'));
  fs.cpSync(path.join(TOP, 'examples'), path.join(dir, 'examples'), { recursive: true });
  fs.symlinkSync(BUILD, path.join(dir, 'build'));
  lk = await Lambkin.start();
});
after(async () => {
  await lk.stop();
  fs.rmSync(dir, { recursive: true });
});

const shell = (command) => new Promise((done) => {
  const env = cleanEnv({ LAMBKIN_ENDPOINT: lk.endpoint, HOME: process.env.HOME, DOTNET_CLI_TELEMETRY_OPTOUT: '1' });
  execFile('/bin/sh', ['-c', command], { cwd: dir, env, timeout: 180000 }, (error, stdout, stderr) => {
    done({ code: error ? error.code ?? error.signal : 0, output: stdout + stderr });
  });
});

test('the README has a row for each folder, and the other way round', () => {
  assert.deepEqual([...commands.keys()].sort(), folders.sort());
});

test('each is deployed as the README says, and greets', async (t) => {
  await Promise.all([...commands].map(([folder, command]) => t.test(folder, async (one) => {
    const deployed = await shell(command);
    if ((deployed.code === 127 || /cannot run here/.test(deployed.output)) && process.env.LK_MUST_RUN !== '1') {
      one.skip(deployed.output.trim());
      return;
    }
    assert.equal(deployed.code, 0, deployed.output);
    assert.doesNotMatch(deployed.output, /cannot run here/);
    const answer = await lk.invoke(folder, { name: 'Ada' });
    if (/PowerShell (is not installed|was not there)/.test(answer.text) && process.env.LK_MUST_RUN !== '1') {
      one.skip(answer.text);
      return;
    }
    assert.equal(answer.error, undefined, answer.text);
    assert.match(answer.text, /Ada/);
  })));
});
