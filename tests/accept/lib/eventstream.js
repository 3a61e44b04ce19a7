/* Reads application/vnd.amazon.eventstream (dataplane.md 4.7), strictly and without AWS's own code: lengths, both checksums,
 * headers of type string. */
'use strict';

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let crc = n;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc >>> 0;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff];
  return (crc ^ 0xffffffff) >>> 0;
}

function readHeaders(bytes) {
  const headers = {};
  for (let at = 0; at < bytes.length;) {
    const name = bytes.subarray(at + 1, at + 1 + bytes[at]).toString();
    at += 1 + bytes[at];
    if (bytes[at] !== 7) throw new Error(`header ${name} is of type ${bytes[at]}, not a string`);
    const length = bytes.readUInt16BE(at + 1);
    if (at + 3 + length > bytes.length) throw new Error(`header ${name} is longer than the headers`);
    if (Object.hasOwn(headers, name)) throw new Error(`header ${name} is there twice`);
    headers[name] = bytes.subarray(at + 3, at + 3 + length).toString();
    at += 3 + length;
  }
  return headers;
}

/* Takes bytes as they come; push() gives the messages that are complete: {headers, payload}. */
class Reader {
  constructor() {
    this.rest = Buffer.alloc(0);
  }

  push(bytes) {
    const messages = [];
    this.rest = this.rest.length ? Buffer.concat([this.rest, bytes]) : bytes;
    while (this.rest.length >= 12) {
      const [total, headers, crc] = [0, 4, 8].map((at) => this.rest.readUInt32BE(at));
      if (crc32(this.rest.subarray(0, 8)) !== crc) throw new Error('the checksum of a prelude is wrong');
      if (total < headers + 16) throw new Error(`a message of ${total} bytes with ${headers} of headers`);
      if (this.rest.length < total) break;
      if (crc32(this.rest.subarray(0, total - 4)) !== this.rest.readUInt32BE(total - 4)) throw new Error('the checksum of a message is wrong');
      messages.push({ headers: readHeaders(this.rest.subarray(12, 12 + headers)),
        payload: this.rest.subarray(12 + headers, total - 4) });
      this.rest = this.rest.subarray(total);
    }
    return messages;
  }
}

/* All messages of a whole body. */
function decode(bytes) {
  const reader = new Reader();
  const messages = reader.push(bytes);
  if (reader.rest.length) throw new Error(`${reader.rest.length} bytes behind the last message`);
  return messages;
}

module.exports = { decode, Reader };
