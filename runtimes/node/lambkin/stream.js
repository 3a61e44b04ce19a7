'use strict';
/* A response that leaves while the handler still writes: one chunked POST, with the error in its trailers if it fails. */
const { Writable } = require('stream');
const { BASE } = require('./api');
const { errorDocument, fault } = require('./log');

class ResponseStream extends Writable {
  #api;
  #id;
  #answered;
  #contentType = 'application/octet-stream';
  #begun = false;
  #ended = false;

  /* answered(status) comes when the platform has taken all of it */
  constructor(api, id, answered, highWaterMark) {
    super({ highWaterMark: highWaterMark || 16384 });
    this.#api = api;
    this.#id = id;
    this.#answered = answered;
    this.prelude = null; // goes before the first byte, see HttpResponseStream
    this.on('error', () => {}); // writing after the end is no reason to lose the environment
  }

  setContentType(type) {
    if (this.#begun || this.writableLength) throw fault('InvalidStreamingOperation', 'Cannot set content-type, too late.');
    if (/[^\t\x20-\x7e\x80-\xff]/.test(type)) throw new TypeError('Invalid character in the content type');
    this.#contentType = type;
  }

  write(chunk, ...rest) {
    return super.write(ResponseStream.#bytes(chunk), ...rest);
  }

  end(chunk, ...rest) {
    return super.end(typeof chunk === 'function' ? chunk : ResponseStream.#bytes(chunk), ...rest);
  }

  static #bytes(chunk) {
    return chunk === undefined || chunk === null || typeof chunk === 'string' || chunk instanceof Uint8Array ? chunk : JSON.stringify(chunk);
  }

  get isBegun() {
    return this.#begun;
  }

  _write(chunk, encoding, done) {
    this._writev([{ chunk }], done);
  }

  _writev(chunks, done) {
    const pieces = this.#begin();
    let length = 0;
    for (const { chunk } of chunks) length += chunk.length;
    if (length) pieces.push(`${length.toString(16)}\r\n`, ...chunks.map(({ chunk }) => chunk), '\r\n');
    if (this.#ended || !pieces.length) done();
    else this.#api.write(pieces, () => done());
  }

  _final(done) {
    if (!this.#ended) this.#api.write([...this.#begin(), '0\r\n\r\n']);
    this.#ended = true;
    done();
  }

  #begin() {
    if (this.#begun) return [];
    this.#begun = true;
    this.#api.begin(this.#answered);
    const pieces = [`POST ${BASE}/invocation/${this.#id}/response HTTP/1.1\r\n${this.#api.head}Content-Type: ${this.#contentType}\r\n`
      + 'Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n'
      + 'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n'];
    if (this.prelude) pieces.push(`${this.prelude.length.toString(16)}\r\n`, this.prelude, '\r\n');
    return pieces;
  }

  /* Ends it with the error, after what has been written; false if its end had been sent already. */
  fail(error) {
    if (this.#ended) return false;
    const document = errorDocument(error);
    const pieces = this.#begin();
    pieces.push(`0\r\nLambda-Runtime-Function-Error-Type: ${String(document.errorType).replace(/[^\x20-\x7e]/g, '?')}\r\n`
      + `Lambda-Runtime-Function-Error-Body: ${Buffer.from(JSON.stringify(document)).toString('base64')}\r\n\r\n`);
    this.#ended = true;
    this.#api.write(pieces);
    this.destroy();
    return true;
  }
}

module.exports = { ResponseStream };
