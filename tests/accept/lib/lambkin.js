/* A lambkin of the test's own: started on a free port with a data folder of its own, ended by its
 * process id, and looked after: nothing may be left of it. */
'use strict';
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { spawn, spawnSync } = require('node:child_process');
const model = require('./model');
const { zip } = require('./zip');

const TOP = path.resolve(__dirname, '../../..');
const BUILD = path.resolve(process.env.LAMBKIN_BUILD || path.join(TOP, 'build'));
const ACCOUNT = '000000000000';
const REGION = 'us-east-1';
const ROLE = `arn:aws:iam::${ACCOUNT}:role/any`;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

/* Polls until `probe` gives something true; the bound is for failures, not for luck. */
async function until(probe, what, ms = 15000) {
  for (const end = Date.now() + ms; ;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await sleep(10);
  }
}

function freePort() {
  return new Promise((done, fail) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    }).on('error', fail);
  });
}

/* What a user's shell has, less what would change the clients or lambkin. */
function cleanEnv(extra = {}) {
  const keep = Object.entries(process.env).filter(([k]) => !/^(AWS_|LAMBKIN_|NODE_|PYTHON|npm_)/i.test(k)
    || k === 'LAMBKIN_LIBEXEC');
  return { ...Object.fromEntries(keep), PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...extra };
}

function read(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/* How often the threads of some processes gave up a CPU: stands still if none of them runs. */
function switches(pids) {
  const statuses = pids.flatMap((pid) => {
    try {
      return fs.readdirSync(`/proc/${pid}/task`).map((thread) => read(`/proc/${pid}/task/${thread}/status`));
    } catch {
      return [];
    }
  });
  return statuses.flatMap((text) => text.match(/ctxt_switches:\s+\d+/g) || [])
    .reduce((sum, line) => sum + Number(line.split(':')[1]), 0);
}

/* pid and start time: the same pid later may be another process. */
function identity(pid) {
  const text = read(`/proc/${pid}/stat`);
  return text ? `${pid}/${text.slice(text.lastIndexOf(')') + 2).split(' ')[19]}` : '';
}

function descendants(root) {
  const children = new Map();
  for (const name of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const text = read(`/proc/${name}/stat`);
    if (!text) continue;
    const parent = Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(Number(name));
  }
  const found = [];
  for (const queue = [root]; queue.length;) {
    const pid = queue.pop();
    found.push(pid);
    queue.push(...(children.get(pid) || []));
  }
  return found;
}

function comm(pid) {
  return read(`/proc/${pid}/comm`).trim();
}

function has(pid, variable) {
  return read(`/proc/${pid}/environ`).includes(`${variable}=`);
}

const isZygote = (pid) => has(pid, '_LAMBKIN_ZYGOTE');
const isParked = (pid) => has(pid, '_LAMBKIN_PARKED_FD') && !isZygote(pid);

function cgroupMounts() {
  return read('/proc/self/mountinfo').split('\n').map((line) => line.split(' '))
    .filter((f) => f.includes('-') && /^cgroup2?$/.test(f[f.indexOf('-') + 1]))
    .map((f) => ({ at: f[4], root: f[3], v2: f[f.indexOf('-') + 1] === 'cgroup2', options: f[f.length - 1] }));
}

/* Folders of the cgroups that a process is in, root ones left out. */
function cgroups(pid) {
  const mounts = cgroupMounts();
  const found = [];
  for (const line of read(`/proc/${pid}/cgroup`).split('\n')) {
    const [, controllers, where] = /^\d+:([^:]*):(.*)$/.exec(line) || [];
    if (!where || where === '/') continue;
    for (const m of mounts) {
      const mine = controllers === '' ? m.v2 : m.options.split(',').includes(controllers.split(',')[0]);
      if (mine) found.push(path.join(m.at, where));
    }
  }
  return found;
}

function loops() {
  return fs.existsSync('/sys/block') ? fs.readdirSync('/sys/block').filter((n) => n.startsWith('loop'))
    .map((n) => read(`/sys/block/${n}/loop/backing_file`).trim()).filter(Boolean) : [];
}

const running = new Set();
process.on('exit', () => { for (const one of running) if (!one.exited) one.process.kill('SIGKILL'); });

class Lambkin {
  /* options: flags, env, dir (an existing data folder's parent), uid (start as that user), prefix */
  static async start(options = {}) {
    const one = new Lambkin(options);
    await one.begin().catch((error) => {
      if (one.ownDir) fs.rmSync(one.dir, { recursive: true, force: true });
      throw error;
    });
    return one;
  }

  constructor({ flags = [], env = {}, dir, uid, wrap = [] } = {}) {
    this.flags = flags;
    this.env = env;
    this.uid = uid;
    this.wrap = wrap;
    this.ownDir = !dir;
    this.dir = dir || fs.mkdtempSync('/var/tmp/lambkin-accept-');
    fs.chmodSync(this.dir, 0o755);
    this.data = path.join(this.dir, 'data');
    if (uid !== undefined && this.ownDir) {
      fs.mkdirSync(this.data);
      fs.chownSync(this.data, uid, uid);
    }
    this.seen = new Set();
    this.agents = [];
    this.output = '';
  }

  async begin() {
    this.port = this.port || await freePort();
    const command = [path.join(BUILD, 'lambkin'), 'serve', '--port', String(this.port), '--data-dir', this.data,
      ...this.flags];
    const as = this.uid === undefined ? []
      : ['setpriv', `--reuid=${this.uid}`, `--regid=${this.uid}`, '--clear-groups', '--inh-caps=-all'];
    const [program, ...args] = [...this.wrap, ...as, ...command];
    this.output = '';
    this.exited = undefined;
    this.process = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: cleanEnv({ HOME: this.dir, ...this.env }), cwd: '/' });
    running.add(this);
    this.process.stdout.on('data', (d) => { this.output = (this.output + d).slice(-4e6); });
    this.process.stderr.on('data', (d) => { this.output = (this.output + d).slice(-4e6); });
    this.process.on('exit', (code, signal) => { this.exited = { code, signal }; });
    const ready = new RegExp(`127\\.0\\.0\\.1:${this.port}\\b`);
    await until(() => ready.test(this.output) || this.exited, 'the ready line');
    assert.ok(!this.exited, `lambkin did not start:\n${this.output}`);
    model.watch(this.port);
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 2000 });
    this.agents.push(this.agent);
  }

  get endpoint() {
    return `http://127.0.0.1:${this.port}`;
  }

  get pids() {
    return this.exited ? [] : descendants(this.process.pid);
  }

  /* the pid of the daemon proper, which the launcher restarts when it dies */
  get daemon() {
    return this.pids.find((pid) => comm(pid) === 'lambkin-daemon'.slice(0, 15));
  }

  /* processes in sandboxes: not ours by name */
  get sandboxed() {
    return this.pids.filter((pid) => !/lambkin/.test(comm(pid)) && pid !== this.process.pid);
  }

  /* runtimes that wait for a function */
  get parked() {
    return this.sandboxed.filter((pid) => isParked(pid));
  }

  /* interpreters that fork runtimes */
  get zygotes() {
    return this.sandboxed.filter((pid) => isZygote(pid));
  }

  /* processes of functions */
  get payloads() {
    return this.sandboxed.filter((pid) => !isParked(pid) && !isZygote(pid));
  }

  /* Waits until an environment is frozen, and checks that it stays so. `pids`: its processes, which must
   * have something to do every few milliseconds. */
  async frozen(pids) {
    assert.ok(pids.length > 0);
    await until(async () => {
      const before = switches(pids);
      await sleep(100);
      return switches(pids) === before;
    }, 'the environment to be frozen');
    const before = switches(pids);
    await sleep(500); /* the time that must not be used */
    assert.equal(switches(pids), before, 'nothing runs');
  }

  /* remembers what belongs to it, for the look around afterwards */
  note() {
    for (const pid of this.pids) {
      this.seen.add(`pid ${identity(pid)}`);
      if (/lambkin/.test(comm(pid))) for (const dir of cgroups(pid)) this.seen.add(`cgroup ${dir}`);
    }
  }

  left() {
    const found = [];
    for (const what of this.seen) {
      const [kind, rest] = [what.slice(0, what.indexOf(' ')), what.slice(what.indexOf(' ') + 1)];
      if (kind === 'pid' && identity(rest.split('/')[0]) === rest) found.push(`${what} ${comm(rest.split('/')[0])}`);
      if (kind === 'cgroup' && this.started.cgroups.every((c) => c !== rest) && fs.existsSync(rest)) found.push(what);
    }
    for (const line of read('/proc/self/mountinfo').split('\n')) if (line.includes(this.dir)) found.push(`mount ${line}`);
    for (const file of loops()) if (file.includes(this.dir)) found.push(`loop device of ${file}`);
    return found;
  }

  async signal(signal, pid = this.process.pid) {
    process.kill(pid, signal);
    if (pid === this.process.pid) await until(() => this.exited, `the end after ${signal}`, 20000);
  }

  /* ends it and looks around; `keep` leaves the data folder */
  async stop({ signal = 'SIGTERM', keep = false } = {}) {
    this.started = { cgroups: cgroups(process.pid) };
    for (const agent of this.agents.splice(0)) agent.destroy();
    if (!this.exited) {
      this.note();
      await this.signal(signal);
      if (signal === 'SIGTERM') assert.deepEqual(this.exited, { code: 0, signal: null }, this.output.slice(-4000));
    }
    await until(() => this.left().length === 0, 'nothing to be left', 10000).catch(() => {
      assert.deepEqual(this.left(), [], 'left behind');
    });
    if (this.ownDir && !keep) fs.rmSync(this.dir, { recursive: true, force: true });
    model.verify(this.port);
  }

  /* One request; answers {status, headers, body (Buffer), text, json}. An answer that is not as spec/ has it is a failure,
   * here as for requests by other clients (model.js), which are told at stop(). */
  request(method, target, body, headers = {}, { agent = this.agent, timeout = 120000 } = {}) {
    return new Promise((done, fail) => {
      const req = http.request({ host: '127.0.0.1', port: this.port, method, path: target, agent, timeout, headers },
        (res) => {
          const parts = [];
          res.on('data', (d) => parts.push(d));
          res.on('error', fail);
          res.on('end', () => {
            const all = Buffer.concat(parts);
            const answer = { status: res.statusCode, headers: res.headers, body: all, text: all.toString() };
            try {
              answer.json = JSON.parse(answer.text);
            } catch {
              answer.json = undefined;
            }
            try {
              model.verify(this.port);
            } catch (error) {
              fail(error);
            }
            done(answer);
          });
        });
      req.on('timeout', () => req.destroy(new Error('no answer in time')));
      req.on('error', fail);
      req.end(body);
    });
  }

  api(method, target, body, headers = {}) {
    return this.request(method, target, body === undefined ? undefined : JSON.stringify(body),
      { 'Content-Type': 'application/json', Authorization: this.authorization(), ...headers });
  }

  /* An endpoint that hands everything on from within this process: for clients that are programs of their own, whose
   * answers would go unchecked otherwise. Ends with stop(). */
  async proxied() {
    const server = http.createServer((asked, answered) => {
      const headers = { ...asked.headers, host: `127.0.0.1:${this.port}` };
      const on = http.request({ host: '127.0.0.1', port: this.port, method: asked.method, path: asked.url, headers }, (answer) => {
        answered.writeHead(answer.statusCode, answer.rawHeaders);
        answer.pipe(answered);
      });
      on.on('error', () => answered.destroy());
      asked.pipe(on);
    });
    await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
    this.agents.push({ destroy: () => { server.close(); server.closeAllConnections(); } });
    return `http://127.0.0.1:${server.address().port}`;
  }

  /* enough of a signature to say which region and account; credentials are not checked on loopback */
  authorization(key = 'any', region = REGION) {
    return `AWS4-HMAC-SHA256 Credential=${key}/20260101/${region}/lambda/aws4_request, SignedHeaders=host, Signature=0`;
  }

  /* Creates a function and waits until it can be invoked. files: as for zip(), or a Buffer. */
  async create(name, files, { runtime = 'python3.11', handler = 'app.handler', env, wait = true, ...rest } = {}) {
    const answer = await this.api('POST', '/2015-03-31/functions', {
      FunctionName: name, Runtime: runtime, Handler: handler, Role: ROLE, Timeout: 10, MemorySize: 256,
      Code: { ZipFile: (Buffer.isBuffer(files) ? files : zip(files)).toString('base64') },
      ...(env ? { Environment: { Variables: env } } : {}), ...rest,
    });
    assert.equal(answer.status, 201, answer.text);
    if (wait) await this.settled(name);
    return answer.json;
  }

  /* Publishes a layer; its version's ARN. files: as for create() */
  async layer(name, files) {
    const answer = await this.api('POST', `/2018-10-31/layers/${name}/versions`, {
      Content: { ZipFile: (Buffer.isBuffer(files) ? files : zip(files)).toString('base64') },
    });
    assert.equal(answer.status, 201, answer.text);
    return answer.json.LayerVersionArn;
  }

  async settled(name) {
    return until(async () => {
      const { json } = await this.api('GET', `/2015-03-31/functions/${name}/configuration`);
      return json.State === 'Active' && json.LastUpdateStatus === 'Successful' && json;
    }, `${name} to settle`);
  }

  async configure(name, changes) {
    const answer = await this.api('PUT', `/2015-03-31/functions/${name}/configuration`, changes);
    assert.equal(answer.status, 200, answer.text);
    return this.settled(name);
  }

  /* Invokes; answers as request() and `tail` (text) and `error` (the header) */
  async invoke(name, event, headers = {}, options = {}) {
    const body = event === undefined ? undefined : Buffer.isBuffer(event) ? event : JSON.stringify(event);
    const answer = await this.request('POST', `/2015-03-31/functions/${name}/invocations`, body,
      { 'X-Amz-Log-Type': 'Tail', Authorization: this.authorization(), ...headers }, options);
    answer.error = answer.headers['x-amz-function-error'];
    const tail = answer.headers['x-amz-log-result'];
    answer.tail = tail === undefined ? undefined : Buffer.from(tail, 'base64').toString();
    return answer;
  }

  /* Invokes and expects success; answers the result. */
  async call(name, event, headers = {}, options = {}) {
    const answer = await this.invoke(name, event, headers, options);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.error, undefined, `${answer.text}\n${answer.tail}`);
    return answer.json;
  }

  cli(args, { input, env, timeout = 60000 } = {}) {
    return new Promise((done) => {
      const child = spawn(path.join(BUILD, 'lambkin'), args,
        { env: cleanEnv({ AWS_ENDPOINT_URL: this.endpoint, LAMBKIN_ENDPOINT: this.endpoint, ...env }), timeout });
      const out = { stdout: '', stderr: '' };
      child.stdout.on('data', (d) => { out.stdout += d; });
      child.stderr.on('data', (d) => { out.stderr += d; });
      child.on('close', (code, signal) => done({ ...out, code, signal }));
      child.stdin.on('error', () => {});
      child.stdin.end(input);
    });
  }
}

/* A Python function that runs what the event says: {code} sets `result`; G lives as long as the process. */
const PUPPET = {
  'app.py': [
    'import os, sys, time, json, signal, socket, subprocess, threading, ctypes',
    'G = {"calls": 0}',
    'def handler(event, context):',
    '    G["calls"] += 1',
    '    scope = {**globals(), "event": event, "context": context, "result": None}',
    '    exec(compile(event["code"], "<event>", "exec"), scope)',
    '    return scope["result"]',
    ''].join('\n'),
};

function sha256(data) {
  return crypto.createHash('sha256').update(data);
}

/* true if the kernel and this user allow what a test needs */
const isRoot = process.getuid() === 0;

module.exports = {
  Lambkin, PUPPET, ACCOUNT, REGION, ROLE, UUID, TOP, BUILD, isRoot, until, sleep, freePort, cleanEnv, identity, descendants,
  comm, cgroups, cgroupMounts, switches, sha256, spawnSync, zip, read,
};
