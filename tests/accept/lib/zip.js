/* Writes zip files byte by byte, also such as no honest tool would write. */
'use strict';
const zlib = require('node:zlib');

const CRC = new Int32Array(256).map((_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});

function crc32(data) {
  let c = -1;
  for (let i = 0; i < data.length; i++) c = CRC[(c ^ data[i]) & 255] ^ (c >>> 8);
  return (c ^ -1) >>> 0;
}

/* files: {name: text | Buffer | entry} or a list of entries.
 * entry: {name, data, mode (with the type bits), store, crc, size, offset, flags, method, os} */
function zip(files) {
  const entries = Array.isArray(files) ? files : Object.entries(files).map(([name, f]) =>
    (typeof f === 'string' || Buffer.isBuffer(f) ? { name, data: f } : { name, ...f }));
  const parts = [];
  const central = [];
  let at = 0;
  for (const e of entries) {
    const data = Buffer.isBuffer(e.data) ? e.data : Buffer.from(e.data || '');
    const name = Buffer.isBuffer(e.name) ? e.name : Buffer.from(e.name);
    const isDir = name.length > 0 && name[name.length - 1] === 0x2f;
    const method = e.method ?? (e.store || data.length === 0 ? 0 : 8);
    const body = e.raw ?? (method === 8 ? zlib.deflateRawSync(data, { level: 6 }) : data);
    const mode = e.mode ?? (isDir ? 0o40755 : 0o100755);
    const head = Buffer.alloc(26);
    head.writeUInt16LE(20, 0);
    head.writeUInt16LE(e.flags ?? 0x800, 2);
    head.writeUInt16LE(method, 4);
    head.writeUInt32LE(0x5a210000, 6);
    head.writeUInt32LE(e.crc ?? crc32(data), 10);
    head.writeUInt32LE(body.length, 14);
    head.writeUInt32LE(e.size ?? data.length, 18);
    head.writeUInt16LE(name.length, 22);
    parts.push(Buffer.from('PK\x03\x04', 'latin1'), head, name, body);
    const made = Buffer.alloc(2);
    made.writeUInt16LE(((e.os ?? 3) << 8) | 20);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((mode << 16) | (isDir ? 16 : 0)) >>> 0, 6);
    tail.writeUInt32LE(e.offset ?? at, 10);
    central.push(Buffer.from('PK\x01\x02', 'latin1'), made, head, tail, name);
    at += 30 + name.length + body.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...parts, directory, Buffer.from('PK\x05\x06', 'latin1'), end]);
}

module.exports = { zip, crc32 };
