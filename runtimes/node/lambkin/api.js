'use strict';
/* The Runtime API over one kept connection. Requests may follow each other without waiting: answers come in the same
 * order. A lost connection is made anew, and what had no answer is sent again. */
const net = require('net');

const BASE = '/2018-06-01/runtime';

function die(message) {
  process.stderr.write(`lambkin runtime client: ${message}\n`);
  process.exit(1);
}

class Api {
  constructor(address) {
    const colon = address.lastIndexOf(':');
    this.host = address.slice(0, colon);
    this.port = Number(address.slice(colon + 1));
    this.head = `Host: ${address}\r\nUser-Agent: aws-lambda-nodejs/${process.version.slice(1)}-lambkin\r\n`;
    this.poll = `GET ${BASE}/invocation/next HTTP/1.1\r\n${this.head}\r\n`;
    this.waiting = []; // { text, done } without an answer, oldest first; no text: cannot be sent again
    this.socket = null;
    this.held = true; // the connection keeps the process alive; during an invocation only the function's own work does
    this.connect();
  }

  connect() {
    const socket = net.connect({ host: this.host, port: this.port, noDelay: true });
    this.socket = socket;
    this.parts = []; // of an answer that is not complete
    this.have = 0;
    this.need = 0;
    this.answered = false;
    if (!this.held) socket.unref();
    socket.on('data', (chunk) => this.take(chunk));
    socket.on('error', (error) => { this.error = error; });
    socket.on('close', () => this.lost());
  }

  /* A platform that ends a connection before its first answer is gone; otherwise once more. */
  lost() {
    this.socket = null;
    if (!this.waiting.length) return;
    if (!this.answered) die(`no connection to the Runtime API: ${this.error ? this.error.message : 'it was closed'}`);
    if (this.waiting.some(({ text }) => text === undefined)) die('the Runtime API closed the connection in a stream');
    this.connect();
    this.socket.write(this.waiting.map(({ text }) => text).join(''));
  }

  hold(held) {
    this.held = held;
    if (this.socket) this.socket[held ? 'ref' : 'unref']();
  }

  /* requests: [text, done(status, headers, body)] each, all in one write */
  send(...requests) {
    for (const [text, done] of requests) this.waiting.push({ text, done });
    if (!this.socket) this.connect();
    this.socket.write(requests.length === 1 ? requests[0][0] : requests.map(([text]) => text).join(''));
  }

  /* The bytes of a streamed response as they come. */
  write(pieces, done) {
    if (!this.socket) this.connect();
    this.socket.cork();
    for (const piece of pieces.slice(0, -1)) this.socket.write(piece);
    this.socket.write(pieces[pieces.length - 1], done);
    this.socket.uncork();
  }

  /* A request is being streamed: its answer will come. */
  begin(done) {
    this.waiting.push({ text: undefined, done });
  }

  /* Waits for the answer to what was streamed; false if it has come. */
  expect(done) {
    if (this.waiting.length) this.waiting[0].done = done;
    return this.waiting.length > 0;
  }

  post(path, body, extra = '') {
    return `POST ${BASE}${path} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${
      extra}${this.head}\r\n${body}`;
  }

  take(chunk) {
    this.parts.push(chunk);
    this.have += chunk.length;
    if (this.have < this.need) return; // megabytes come in many pieces: put together once
    let data = this.parts.length === 1 ? chunk : Buffer.concat(this.parts, this.have);
    this.parts = [];
    this.need = 0;
    while (data.length) {
      const end = data.indexOf('\r\n\r\n');
      const answer = end < 0 ? null : Api.parse(data.toString('utf8', 0, end));
      const total = answer ? end + 4 + answer.length : 0;
      if (!answer || data.length < total) {
        this.parts = [data];
        this.need = total;
        break;
      }
      const body = data.subarray(end + 4, total);
      data = data.subarray(total);
      if (answer.status >= 200) this.deliver(answer, body); // 1xx: the answer is still to come
    }
    this.have = data.length;
  }

  deliver({ status, headers }, body) {
    this.answered = true;
    const request = this.waiting.shift();
    if (!request) die('the Runtime API answered what was not asked');
    request.done(status, headers, body);
  }

  static parse(text) {
    const lines = text.split('\r\n');
    const status = Number((/^HTTP\/1\.[01] (\d{3})/.exec(lines[0]) || [])[1]);
    const headers = {};
    for (let i = 1; i < lines.length; i++) {
      const colon = lines[i].indexOf(':');
      headers[lines[i].slice(0, colon).toLowerCase()] = lines[i].slice(colon + 1).trim();
    }
    const length = headers['content-length'] === undefined ? '0' : headers['content-length'];
    if (!status || !/^\d{1,15}$/.test(length) || headers['transfer-encoding']) die('the Runtime API sent no answer of a known kind');
    return { status, headers, length: Number(length) };
  }
}

module.exports = { Api, BASE, die };
