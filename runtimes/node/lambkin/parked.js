'use strict';
/* Booted ahead of its function, the process waits here for it: then the variables are its own, to the last one. */
const fs = require('fs');

function readAll(fd) {
  const pieces = [];
  const piece = Buffer.alloc(65536);
  for (let n; (n = fs.readSync(fd, piece)) > 0;) pieces.push(Buffer.from(piece.subarray(0, n)));
  fs.closeSync(fd);
  return Buffer.concat(pieces).toString();
}

const isParked = () => process.env._LAMBKIN_PARKED_FD !== undefined;

function waitParked() {
  const { env } = process;
  const fd = Number(env._LAMBKIN_PARKED_FD);
  for (const name of Object.keys(env)) delete env[name];
  fs.writeSync(fd, 'p');
  const pairs = readAll(fd).split('\0').filter(Boolean);
  if (!pairs.length) process.exit(0); // nobody needs it any more
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    env[pair.slice(0, equals)] = pair.slice(equals + 1);
  }
  process.chdir(env.LAMBDA_TASK_ROOT);
}

module.exports = { isParked, waitParked };
