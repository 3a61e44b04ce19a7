/* Answers as the tables in spec/ describe them. Every HTTP answer that a test process gets from a lambkin passes here, by
 * whichever client it was asked for (raw requests and AWS's SDK alike); what differs from the model is a failure, unless
 * recorded behaviour demands it: those cases are listed below with the number of their fact. */
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const eventstream = require('./eventstream');
const xml = require('./xml');

const SPEC = path.resolve(__dirname, '../../../spec');
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const ISO8601 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/* ---- what no model has ---- */

/* Codes that every operation may answer (controlplane.md facts 2 and 15, events.md 4.7), with status and message member. */
const COMMON = {
  ValidationException: [400, 'message'],
  SerializationException: [400, 'Message'],
  UnknownOperationException: [404, 'Message'],
  AccessDeniedException: [403, 'Message'],
  RequestEntityTooLargeException: [413, 'message'],
  NotImplementedException: [501, 'Message'],
  InternalFailure: [500, 'message'],
  ThrottlingException: [400, 'message'],
  MissingAuthenticationTokenException: [403, 'message'],
  IncompleteSignatureException: [403, 'message'],
  InvalidSignatureException: [403, 'message'],
  UnrecognizedClientException: [403, 'message'],
  ExpiredTokenException: [403, 'message'],
};
/* The same of the Query protocol. */
const COMMON_QUERY = {
  ValidationError: 400, InvalidAction: 400, MissingAction: 400, MissingParameter: 400, InvalidParameterValue: 400,
  InvalidParameterCombination: 400, MalformedInput: 400, MalformedQueryString: 400, RequestEntityTooLarge: 413, Throttling: 400,
  AccessDenied: 403, MissingAuthenticationToken: 403, InvalidClientTokenId: 403, SignatureDoesNotMatch: 403, ExpiredToken: 403,
  IncompleteSignature: 400, InternalFailure: 500, NotImplemented: 501, NotImplementedException: 501,
};

/* ---- where recorded behaviour differs from the model ---- */

const DEVIATIONS = {
  /* Error texts that come without the modelled Type. */
  withoutType: [
    { fact: 3, code: 'InvalidParameterValueException', text: /^(Specified (Reserved)?| Reserved)ConcurrentExecutions / },
    { fact: 3, code: 'InvalidParameterValueException', text: /^Requested Provisioned Concurrency / },
    { fact: 3, code: 'InvalidParameterValueException', text: /^\$LATEST is not supported for an alias pointing to more than 1 version/ },
    { fact: 3, code: 'ResourceNotFoundException', text: /code signing configuration .* can not be found/i },
  ],
  /* Success without the members that the model requires: nothing is set. */
  mayBeEmpty: { GetFunctionCodeSigningConfig: 100 },
  /* Values beyond the modelled enumeration. */
  values: { LastUpdateStatusReasonCode: { also: ['Creating'], fact: 20 } },
  /* Codes that an operation answers although its row does not name them; without operations: all. */
  codes: {
    InvalidRequestContentException: { fact: 1 },
    InvalidParameterException: { fact: 'CloudWatch Logs says so whenever a value breaks a constraint' },
    ResourceConflictException: { fact: 'dataplane.md 4.3: Pending', operations: ['Invoke', 'InvokeWithResponseStream', 'InvokeAsync'] },
  },
  /* Another status than the modelled one. */
  status: {
    Invoke: { statuses: [200, 202, 204], fact: 'dataplane.md 4.2' },
    InvokeWithResponseStream: { statuses: [200, 204], fact: 'a dry run, as of Invoke' },
  },
  /* Headers beyond the modelled ones. */
  headers: ['x-amzn-requestid', 'x-amzn-errortype', 'x-amzn-trace-id', 'x-amz-request-id', 'x-amz-id-2', 'x-amzn-remapped-content-length'],
};

/* ---- the tables ---- */

let tables;

function load() {
  if (!tables) {
    tables = fs.readdirSync(SPEC).filter((f) => f.endsWith('.json')).sort().map((file) => {
      const { metadata, operations, shapes } = JSON.parse(fs.readFileSync(path.join(SPEC, file)));
      for (const [name, op] of Object.entries(operations)) {
        op.name = name;
        op.http = { method: 'POST', requestUri: '/', responseCode: 200, ...op.http };
        const [uri, literal] = op.http.requestUri.split('?');
        op.segments = uri.split('/');
        op.literal = literal;
      }
      return { name: file.slice(0, -5), metadata, operations, shapes, protocol: metadata.protocol };
    }).filter((service) => Object.keys(service.operations).length > 0);
  }
  return tables;
}

function matches(op, method, segments, query) {
  return op.http.method === method && op.segments.length === segments.length
    && op.segments.every((want, i) => (want.startsWith('{') ? segments[i] !== '' : want === segments[i]))
    && (!op.literal || query.includes(op.literal));
}

function findPath(service, { method, target }) {
  const [where, query = ''] = target.split('?');
  const segments = (where.length > 1 ? where.replace(/\/$/, '') : where).split('/');
  const found = Object.values(service.operations).filter((op) => matches(op, method, segments, query.split('&')));
  return found.find((op) => op.literal) || found[0];
}

function findAction(service, { target, body }) {
  const query = new URLSearchParams(target.split('?')[1] || '');
  const form = new URLSearchParams(body.length < 1e6 ? body.toString() : '');
  const of = (name) => form.get(name) || query.get(name);
  return of('Version') === service.metadata.apiVersion ? service.operations[of('Action')] : undefined;
}

/* "iam" of Credential=KEY/DATE/REGION/iam/aws4_request */
function scopeOf({ authorization }) {
  return /Credential=[^,\s]*\/([^/,\s]+)\/aws4_request/.exec(authorization || '')?.[1];
}

/* The operation that a request {method, target, headers, body} asks for: {service, op}, or undefined. */
function find(request) {
  const wanted = request.headers['x-amz-target'];
  const scope = scopeOf(request.headers);
  for (const service of load()) {
    let op;
    /* who signs for one service of forms does not ask another */
    if (service.protocol === 'query' && scope !== service.name && load().some((s) => s.name === scope && s.protocol === 'query')) continue;
    if (service.protocol === 'rest-json') op = findPath(service, request);
    else if (request.target.split('?')[0] !== '/') op = undefined;
    else if (service.protocol === 'query') op = wanted ? undefined : findAction(service, request);
    else if (wanted?.startsWith(`${service.metadata.targetPrefix}.`)) op = service.operations[wanted.split('.')[1]];
    if (op) return { service, op };
  }
  return undefined;
}

/* ---- values ---- */

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/* JSON's types; a timestamp is a number of seconds. */
const JSON_TYPES = {
  string: (v) => typeof v === 'string',
  blob: (v) => typeof v === 'string' && BASE64.test(v),
  boolean: (v) => typeof v === 'boolean',
  integer: (v) => Number.isInteger(v),
  long: (v) => Number.isInteger(v),
  double: (v) => typeof v === 'number',
  float: (v) => typeof v === 'number',
  timestamp: (v) => typeof v === 'number' && v > 0,
  structure: isObject,
  map: isObject,
  list: Array.isArray,
};
/* The same as text, in headers and XML. */
const TEXT_TYPES = {
  string: () => true,
  blob: (v) => BASE64.test(v),
  boolean: (v) => v === 'true' || v === 'false',
  integer: (v) => /^-?\d+$/.test(v),
  long: (v) => /^-?\d+$/.test(v),
  double: (v) => v !== '' && Number.isFinite(Number(v)),
  float: (v) => v !== '' && Number.isFinite(Number(v)),
  timestamp: (v) => ISO8601.test(v),
};

class Checker {
  constructor(service, op) {
    this.service = service;
    this.op = op;
    this.problems = [];
  }

  say(text) {
    this.problems.push(text);
  }

  plain(shapeName, value, where, types) {
    const shape = this.service.shapes[shapeName];
    const values = shape.enum && [...shape.enum, ...(DEVIATIONS.values[shapeName]?.also || [])];
    if (!types[shape.type](value)) this.say(`${where} is not a ${shape.type} (${shapeName}): ${JSON.stringify(value)}`);
    else if (values && !values.includes(value)) this.say(`${where} is not a value of ${shapeName}: ${value}`);
    else return true;
    return false;
  }

  json(shapeName, value, where) {
    const shape = this.service.shapes[shapeName];
    if (!this.plain(shapeName, value, where, JSON_TYPES)) return;
    if (shape.type === 'structure') this.members(shapeName, value, where);
    if (shape.type === 'list') value.forEach((item, i) => this.json(shape.member.shape, item, `${where}[${i}]`));
    if (shape.type === 'map') {
      for (const [key, item] of Object.entries(value)) {
        this.plain(shape.key.shape, key, `${where} key`, JSON_TYPES);
        this.json(shape.value.shape, item, `${where}.${key}`);
      }
    }
  }

  /* Those of the body; `required` ones only where asked for. */
  members(shapeName, value, where, required = true) {
    const shape = this.service.shapes[shapeName];
    const known = Object.entries(shape.members || {}).filter(([, m]) => !m.location);
    const wire = new Map(known.map(([name, m]) => [m.locationName || name, m]));
    for (const [name, item] of Object.entries(value)) {
      if (!wire.has(name)) this.say(`${where}.${name} is not in ${shapeName}`);
      else this.json(wire.get(name).shape, item, `${where}.${name}`);
    }
    for (const [name, m] of required ? known : []) {
      if (shape.required?.includes(name) && !Object.hasOwn(value, m.locationName || name)) {
        this.say(`${where}.${name} is missing, required in ${shapeName}`);
      }
    }
  }

  xml(shapeName, node, where) {
    const shape = this.service.shapes[shapeName];
    if (TEXT_TYPES[shape.type]) {
      if (node.children.length) this.say(`${where} has elements inside, but is a ${shape.type}`);
      else this.plain(shapeName, node.text, where, TEXT_TYPES);
      return;
    }
    if (node.text.trim()) this.say(`${where} has text inside, but is a ${shape.type}`);
    if (shape.type === 'structure') this.elements(shapeName, node, where);
    for (const [i, child] of shape.type === 'list' ? node.children.entries() : []) {
      if (child.name === 'member') this.xml(shape.member.shape, child, `${where}[${i}]`);
      else this.say(`${where}: <${child.name}> in a list, not <member>`);
    }
    for (const child of shape.type === 'map' ? node.children : []) {
      const [key, value] = ['key', 'value'].map((name) => child.children.find((c) => c.name === name));
      if (child.name !== 'entry' || !key || !value) this.say(`${where}: not <entry><key/><value/></entry>`);
      else this.xml(shape.value.shape, value, `${where}.${key.text}`);
    }
  }

  elements(shapeName, node, where) {
    const shape = this.service.shapes[shapeName];
    const names = node.children.map((c) => c.name);
    for (const child of node.children) {
      const member = shape.members[child.name];
      if (!member) this.say(`${where}.${child.name} is not in ${shapeName}`);
      else this.xml(member.shape, child, `${where}.${child.name}`);
    }
    if (new Set(names).size !== names.length) this.say(`${where} has an element twice: ${names.join(' ')}`);
    for (const name of shape.required || []) {
      if (!names.includes(name)) this.say(`${where}.${name} is missing, required in ${shapeName}`);
    }
  }

  headers(answer) {
    const output = this.service.shapes[this.op.output] || { members: {} };
    const members = Object.entries(output.members || {}).filter(([, m]) => m.location === 'header');
    const known = new Map(members.map(([, m]) => [m.locationName.toLowerCase(), m]));
    for (const [name, value] of Object.entries(answer.headers)) {
      if (known.has(name)) this.plain(known.get(name).shape, value, `header ${name}`, TEXT_TYPES);
      else if (/^x-amzn?-/.test(name) && !DEVIATIONS.headers.includes(name)) this.say(`header ${name} is in no table`);
    }
    for (const [name, m] of members) {
      if (output.required?.includes(name) && answer.headers[m.locationName.toLowerCase()] === undefined) {
        this.say(`header ${m.locationName} is missing`);
      }
    }
  }

  contentType(answer, ...want) {
    const type = answer.headers['content-type'];
    if (!want.includes(type?.split(';')[0])) this.say(`content-type is ${type}, not ${want.join(' or ')}`);
  }

  get jsonType() {
    return this.service.metadata.jsonVersion ? `application/x-amz-json-${this.service.metadata.jsonVersion}` : 'application/json';
  }

  parseJson(answer) {
    this.contentType(answer, this.jsonType);
    try {
      const value = JSON.parse(answer.body.toString());
      if (isObject(value)) return value;
    } catch { /* said below */ }
    this.say(`the body is no JSON object: ${answer.body.toString().slice(0, 200)}`);
    return undefined;
  }

  parseXml(answer, root) {
    this.contentType(answer, 'text/xml', 'application/xml');
    const node = xml.parse(answer.body.toString());
    if (node?.name !== root) this.say(`the body is not <${root}>: ${answer.body.toString().slice(0, 200)}`);
    else if (node.attributes.xmlns !== this.service.metadata.xmlNamespace) this.say(`xmlns is ${node.attributes.xmlns}`);
    return node?.name === root ? node : undefined;
  }

  /* ---- success ---- */

  success(answer) {
    const output = this.service.shapes[this.op.output];
    const special = DEVIATIONS.status[this.op.name];
    const statuses = special ? special.statuses : [this.op.http.responseCode];
    if (!statuses.includes(answer.status)) this.say(`status ${answer.status}, not ${statuses.join(' or ')}`);
    this.headers(answer);
    if (this.service.protocol === 'query') this.queryResult(answer);
    else if (output?.payload) this.payload(output, answer);
    else this.jsonResult(output, answer);
  }

  payload(output, answer) {
    const member = output.members[output.payload];
    const shape = this.service.shapes[member.shape];
    if (shape.type !== 'structure' || answer.status === 204) return; /* a blob is any bytes */
    if (output.payload === 'EventStream') {
      this.events(member.shape, answer);
      return;
    }
    const value = this.parseJson(answer);
    if (value) this.members(member.shape, value, output.payload);
  }

  /* Of one of the shape's members each; the one that says how it ended comes last, and once. */
  events(shapeName, answer) {
    const { members } = this.service.shapes[shapeName];
    this.contentType(answer, 'application/vnd.amazon.eventstream');
    let messages;
    try {
      messages = eventstream.decode(answer.body);
    } catch (error) {
      this.say(`the event stream is broken: ${error.message}`);
      return;
    }
    const types = messages.map(({ headers }) => headers[':event-type']);
    if (types.indexOf('InvokeComplete') !== types.length - 1) this.say(`the events do not end in one InvokeComplete: ${types.slice(-3)}`);
    for (const { headers, payload } of messages) this.event(members[headers[':event-type']], headers, payload);
  }

  event(member, headers, payload) {
    const where = `event ${headers[':event-type']}`;
    if (headers[':message-type'] !== 'event' || !member || Object.keys(headers).length !== 3) {
      this.say(`an event with the headers ${JSON.stringify(headers)}`);
      return;
    }
    /* a structure of one blob is that blob, as it is */
    const inner = Object.values(this.service.shapes[member.shape].members);
    const raw = inner.length === 1 && this.service.shapes[inner[0].shape].type === 'blob';
    const type = raw ? 'application/octet-stream' : 'application/json';
    if (headers[':content-type'] !== type) this.say(`${where} is ${headers[':content-type']}, not ${type}`);
    if (raw) return;
    try {
      this.members(member.shape, JSON.parse(payload.toString()), where);
    } catch {
      this.say(`${where} is no JSON: ${payload.toString().slice(0, 200)}`);
    }
  }

  jsonResult(output, answer) {
    const inBody = Object.values(output?.members || {}).some((m) => !m.location);
    if (answer.status === 204 || (!inBody && answer.body.length === 0)) {
      if (answer.body.length) this.say(`a body where there is none: ${answer.body.toString().slice(0, 200)}`);
      return;
    }
    const value = this.parseJson(answer);
    if (!value) return;
    const empty = DEVIATIONS.mayBeEmpty[this.op.name] && Object.keys(value).length === 0;
    if (output) this.members(this.op.output, value, this.op.name, !empty);
    else if (Object.keys(value).length) this.say(`members where there are none: ${Object.keys(value)}`);
  }

  queryResult(answer) {
    const root = this.parseXml(answer, `${this.op.name}Response`);
    if (!root) return;
    const result = root.children.find((c) => c.name === this.op.resultWrapper);
    const metadata = root.children.find((c) => c.name === 'ResponseMetadata');
    const id = metadata?.children.find((c) => c.name === 'RequestId')?.text;
    if (!UUID.test(id || '')) this.say(`ResponseMetadata.RequestId is no UUID: ${id}`);
    for (const child of root.children) {
      if (child !== result && child !== metadata) this.say(`<${child.name}> in <${root.name}>`);
    }
    if (this.op.output && this.op.resultWrapper && !result) this.say(`<${this.op.resultWrapper}> is missing`);
    else if (result) this.elements(this.op.output, result, this.op.resultWrapper);
  }

  /* ---- errors ---- */

  error(answer) {
    if (this.service.protocol === 'query') return this.queryError(answer);
    const value = this.parseJson(answer);
    if (!value) return undefined;
    const header = answer.headers['x-amzn-errortype'];
    if (header === undefined) this.say('header x-amzn-ErrorType is missing');
    if (this.service.protocol !== 'json') return this.restError(answer, header, value);
    const type = typeof value.__type === 'string' ? value.__type.replace(/^.*#/, '') : undefined;
    if (type === undefined) this.say('__type is missing');
    else if (header !== undefined && header !== type) this.say(`x-amzn-ErrorType ${header}, __type ${value.__type}`);
    return this.jsonError(answer, type || header, value);
  }

  /* The row of a code, if this operation may answer it: {status, shape, message}. */
  code(name) {
    const shape = this.service.shapes[name];
    const special = DEVIATIONS.codes[name];
    const listed = (this.op.errors || []).includes(name) || (special && (special.operations || [this.op.name]).includes(this.op.name));
    if (!COMMON[name] && !(shape?.exception && listed)) {
      this.say(`${name} is no error of ${this.op.name}`);
      return undefined;
    }
    const modelled = shape?.exception ? shape : undefined;
    const member = Object.keys(modelled?.members || {}).find((m) => m.toLowerCase() === 'message');
    const status = modelled?.error?.httpStatusCode || (modelled?.fault ? 500 : undefined) || COMMON[name]?.[0] || 400;
    return { name, status, shape: modelled, message: member || COMMON[name]?.[1] || 'message' };
  }

  restError(answer, name, value) {
    const row = name && this.code(name);
    if (!row) return;
    if (answer.status !== row.status) this.say(`${name} with status ${answer.status}, not ${row.status}`);
    const text = value[row.message];
    if (text === undefined) this.say(`${name} without ${row.message}: ${Object.keys(value)}`);
    else if (typeof text !== 'string' && !(text === null && name === 'AccessDeniedException')) { /* fact 15 */
      this.say(`${name}: ${row.message} is no text: ${JSON.stringify(text)}`);
    }
    const { [row.message]: _, ...rest } = value;
    const want = row.status >= 500 ? 'Service' : 'User';
    if (row.shape?.members?.Type) {
      const without = DEVIATIONS.withoutType.some((d) => d.code === name && d.text.test(text));
      if (value.Type !== (without ? undefined : want)) this.say(`${name}: Type is ${value.Type}, not ${without ? undefined : want}`);
      this.members(name, rest, name, false);
    } else if (Object.keys(rest).length) {
      this.say(`${name} has more than its message: ${Object.keys(rest)}`);
    }
  }

  jsonError(answer, name, value) {
    const row = name && this.code(name);
    if (!row) return;
    /* AWS JSON says 400 to all that is the caller's fault (events.md 3.0.2), lambkin 501 to what is not built. */
    const status = row.status < 500 ? 400 : row.status;
    if (answer.status !== status) this.say(`${name} with status ${answer.status}, not ${status}`);
    const { __type, message, Message, ...rest } = value;
    if (typeof (message ?? Message) !== 'string') this.say(`${name} without message: ${Object.keys(value)}`);
    if (row.shape) this.members(name, rest, name, false);
    else if (Object.keys(rest).length) this.say(`${name} has more than its message: ${Object.keys(rest)}`);
  }

  queryError(answer) {
    const root = this.parseXml(answer, 'ErrorResponse');
    if (!root) return;
    const text = (node, name) => node?.children.find((c) => c.name === name)?.text;
    const error = root.children.find((c) => c.name === 'Error');
    const code = text(error, 'Code');
    const name = (this.op.errors || []).find((e) => (this.service.shapes[e].error?.code || e) === code);
    const modelled = this.service.shapes[name];
    const status = modelled ? modelled.error?.httpStatusCode || 400 : COMMON_QUERY[code];
    if (status === undefined) this.say(`${code} is no error of ${this.op.name}`);
    else if (status !== answer.status) this.say(`${code} with status ${answer.status}, not ${status}`);
    if (text(error, 'Type') !== (answer.status < 500 ? 'Sender' : 'Receiver')) this.say(`Type is ${text(error, 'Type')}`);
    if (text(error, 'Message') === undefined) this.say('Message is missing');
    if (!UUID.test(text(root, 'RequestId') || '')) this.say('RequestId is no UUID');
  }
}

/* An answer of the HTTP server itself, before there is a call: a status, no body, and the connection ends. */
function isHttpsOwn({ status, headers, body }) {
  return [400, 408, 413, 414, 431, 501, 505].includes(status) && body.length === 0 && headers.connection === 'close'
    && headers['x-amzn-requestid'] === undefined;
}

/* What is wrong with an answer {status, headers, body (Buffer)} to an operation: texts, none if nothing is. */
function check({ service, op }, answer) {
  const checker = new Checker(service, op);
  if (isHttpsOwn(answer)) return [];
  const id = answer.headers['x-amzn-requestid'];
  if (!UUID.test(id || '')) checker.say(`header x-amzn-RequestId is no UUID: ${id}`);
  if (answer.status >= 200 && answer.status < 300) checker.success(answer);
  else if (answer.status >= 400) checker.error(answer);
  else checker.say(`status ${answer.status}`);
  return checker.problems;
}

/* ---- every answer of this process's clients ---- */

const watched = new Map(); /* port -> problems found */
const answered = new Set(); /* "lambda GetFunction", "lambda GetFunction ResourceNotFoundException" */

/* run.js gathers from all files which operations were seen to succeed, and how they failed. */
process.on('exit', () => {
  if (process.env.LK_ANSWERED && answered.size) fs.appendFileSync(process.env.LK_ANSWERED, `${[...answered].join('\n')}\n`);
});

function examine(request, answer, problems) {
  if (/\.lambda-url\./.test(request.headers.host || '')) return; /* a function's own answer */
  const found = find(request);
  if (!found) return;
  const said = answer.status < 300 ? '' : ` ${answer.headers['x-amzn-errortype']}`;
  answered.add(`${found.service.name} ${found.op.name}${said}`);
  for (const text of check(found, answer)) {
    problems.push(`${found.service.name} ${found.op.name}, ${answer.status}: ${text}`);
  }
}

function asBuffer(chunk, encoding) {
  return typeof chunk === 'string' ? Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8') : Buffer.from(chunk);
}

/* Collects what a response's parser delivers, without taking it from whoever reads it. */
function listen(request, problems) {
  request.prependOnceListener('response', (response) => {
    const parts = [];
    const push = response.push;
    response.push = function collect(chunk, encoding) {
      if (chunk) parts.push(asBuffer(chunk, encoding));
      else if (chunk === null && response.complete) {
        const asked = { method: request.method, target: request.path, headers: request.getHeaders(),
          body: Buffer.concat(request.lambkinSent || []) };
        examine(asked, { status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }, problems);
      }
      return push.call(this, chunk, encoding);
    };
  });
}

function problemsOf(request) {
  const [host, port] = String(request.getHeader('host') || '').split(':');
  return host ? watched.get(Number(port)) : undefined;
}

/* All of Node.js's clients end in ClientRequest, whatever agent or handler they use. */
for (const method of ['write', 'end']) {
  const original = http.ClientRequest.prototype[method];
  http.ClientRequest.prototype[method] = function watching(chunk, encoding, ...rest) {
    const problems = problemsOf(this);
    if (problems) {
      if (!this.lambkinSent) {
        this.lambkinSent = [];
        listen(this, problems);
      }
      const isData = typeof chunk === 'string' || chunk instanceof Uint8Array;
      if (isData && (this.getHeader('content-type') || '').startsWith('application/x-www-form-urlencoded')) {
        this.lambkinSent.push(asBuffer(chunk, encoding));
      }
    }
    return original.call(this, chunk, encoding, ...rest);
  };
}

/* From now on all answers from this port are checked. */
function watch(port) {
  if (!watched.has(port)) watched.set(port, []);
}

/* Throws what was found so far, once. */
function verify(port) {
  const problems = watched.get(port)?.splice(0) || [];
  if (problems.length) throw new Error(`answers that differ from spec/:\n  ${[...new Set(problems)].join('\n  ')}`);
}

module.exports = { find, check, watch, verify, load, COMMON, DEVIATIONS };
