'use strict';
/* While the process waits for its function, it plays one invocation, from the connection to the answer, with a platform and a
 * handler of its own: code that has run once is compiled, and what Node.js loads at first use is loaded. That is most of what a
 * first invocation takes. Nothing that a function can see is left of it. */
const net = require('net');

const ANSWERS = {
  GET: 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: rehearsal\r\n'
    + 'Lambda-Runtime-Deadline-Ms: 1\r\nLambda-Runtime-Invoked-Function-Arn: arn\r\nContent-Length: 2\r\n\r\n{}',
  POST: 'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
};

/* What stands in for the Runtime API. It hangs up when it has got a result. */
class Platform {
  static open() {
    return new Promise((done, fail) => {
      const platform = new Platform();
      platform.server = net.createServer((socket) => {
        socket.on('error', () => {});
        socket.on('data', (data) => {
          if (data.toString('latin1', 0, 3) === 'GET') socket.write(ANSWERS.GET);
          else socket.end(ANSWERS.POST);
        });
      });
      platform.server.on('error', fail).listen(0, '127.0.0.1', () => done(platform));
    });
  }

  get address() {
    return `127.0.0.1:${this.server.address().port}`;
  }

  close() {
    return new Promise((done) => { this.server.close(done); });
  }
}

/* As if the module system had never met these files of this folder. */
function forget(...names) {
  const { _pathCache: found } = module.constructor;
  for (const file of names.map((name) => `${__dirname}/${name}`)) {
    delete require.cache[file];
    for (const key of Object.keys(found)) if (found[key] === file) delete found[key];
    for (const { children } of Object.values(require.cache)) {
      const at = children.findIndex(({ filename }) => filename === file);
      if (at >= 0) children.splice(at, 1);
    }
  }
}

module.exports = { Platform, forget };
