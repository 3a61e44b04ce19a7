/* Requests that break the model in one place each, made from the tables in spec/. */
'use strict';

/* What a valid request holds where a pattern decides: the first that fits. */
const SAMPLES = ['victim', 'v1', 'AKIA234567ABCDEFGHIJ', '00000000-0000-4000-8000-000000000000', '1', 'a', 'abcdefghijkl', '/mnt/a', 'ALL', 'o-abcdefghij', 'sg-1', 'subnet-1', 'host:1234', '*', '000000000000', '$LATEST',
  'lambda:InvokeFunction', 'lambda:GetLayerVersion', 'arn:aws:iam::000000000000:role/any', 'arn:aws:lambda:us-east-1:000000000000:function:victim',
  'arn:aws:lambda:us-east-1:000000000000:layer:layer:1', 'arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0',
  'arn:aws:lambda:us-east-1:000000000000:capacity-provider:any', 'arn:aws:lambda:us-east-1::runtime:any', 'arn:aws:sqs:us-east-1:000000000000:any',
  'arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0', 'arn:aws:kms:us-east-1:000000000000:key/any',
  'arn:aws:lambda:us-east-1:000000000000:function:victim:1/durable-execution/a/b'];
/* What breaks patterns: the first that does. */
const BREAKERS = ['', ' ', '!', 'a b', 'ä', "'; DROP TABLE functions; --", '{}', '-', 'a'];

/* Java's patterns as JavaScript reads them. */
function pattern(shape) {
  const text = `^(?:${shape.pattern})$`;
  try {
    return new RegExp(text, 'u');
  } catch {
    return new RegExp(text);
  }
}

const long = (n) => 'a'.repeat(n);

class Generator {
  constructor(service) {
    this.service = service;
    this.withoutSample = new Set();
  }

  shape(name) {
    return this.service.shapes[name];
  }

  text(name) {
    const shape = this.shape(name);
    if (shape.enum) return shape.enum[0];
    const fits = (v) => v.length >= (shape.min || 0) && v.length <= (shape.max ?? Infinity) && (!shape.pattern || pattern(shape).test(v));
    const found = SAMPLES.find(fits);
    if (found === undefined) this.withoutSample.add(name);
    return found ?? '';
  }

  /* A valid value, with all that is required inside. */
  value(name, depth = 0) {
    const shape = this.shape(name);
    switch (shape.type) {
      case 'string': return this.text(name);
      case 'blob': return 'AAAA';
      case 'boolean': return true;
      case 'timestamp': return 1;
      case 'integer': case 'long': case 'double': case 'float': return Math.max(shape.min ?? 1, 0) || (shape.max === 0 ? 0 : 1);
      case 'list': return Array.from({ length: Math.max(shape.min || 0, 1) }, () => this.value(shape.member.shape, depth + 1));
      case 'map': return { [this.text(shape.key.shape)]: this.value(shape.value.shape, depth + 1) };
      default: return Object.fromEntries((shape.required || []).map((m) => [this.wire(shape, m), this.value(shape.members[m].shape, depth + 1)]));
    }
  }

  wire(shape, member) {
    return shape.members[member].locationName || member;
  }

  /* Values that the shape does not allow: [what, value, is it only a constraint]. */
  constraints(name) {
    const shape = this.shape(name);
    const found = [];
    const add = (what, value) => found.push([what, value]);
    if (shape.type === 'string') {
      if (shape.max !== undefined && shape.max < 100000) add('too long', long(shape.max + 1));
      if (shape.min > 0) add('too short', long(shape.min - 1));
      if (shape.enum) add('no such value', 'NOPE');
      if (shape.enum) add('in another case', shape.enum[0] === shape.enum[0].toLowerCase() ? shape.enum[0].toUpperCase() : shape.enum[0].toLowerCase());
      const breaker = shape.pattern && BREAKERS.find((v) => !pattern(shape).test(v) && v.length >= (shape.min || 0));
      if (breaker !== undefined && breaker) add('against the pattern', breaker);
    }
    if (['integer', 'long', 'double', 'float'].includes(shape.type)) {
      if (shape.max !== undefined) add('too large', shape.max + 1);
      if (shape.min !== undefined) add('too small', shape.min - 1);
    }
    if (shape.type === 'list') {
      if (shape.max !== undefined && shape.max < 1000) add('too many', Array.from({ length: shape.max + 1 }, () => this.value(shape.member.shape)));
      if (shape.min > 0) add('too few', []);
      for (const [what, value] of this.plain(shape.member.shape) ? this.constraints(shape.member.shape) : []) add(`an item ${what}`, [value]);
      if (this.shape(shape.member.shape).type === 'structure' && this.service.protocol !== 'query') add('an item null', [null]);
    }
    if (shape.type === 'map') {
      for (const [what, value] of this.plain(shape.key.shape) ? this.constraints(shape.key.shape) : []) {
        add(`a key ${what}`, { [value]: this.value(shape.value.shape) });
      }
      for (const [what, value] of this.plain(shape.value.shape) ? this.constraints(shape.value.shape) : []) {
        add(`a value ${what}`, { [this.text(shape.key.shape)]: value });
      }
    }
    return found;
  }

  /* What AWS says of a value (controlplane.md facts 4-6): a second implementation of src/aws/validate.c. Undefined: unknown. */
  words(name, value, at) {
    const shape = this.shape(name);
    if (value === undefined || value === null) return [`Value null at '${at}' failed to satisfy constraint: Member must not be null`];
    if (Array.isArray(value) && value.includes(null)) return this.words(name, null, `${at}.${value.indexOf(null) + 1}.member`);
    const printed = this.print(name, value);
    if (printed === undefined || printed.length > 16000) return undefined;
    const hidden = shape.sensitive || [shape.key, shape.value, shape.member].some((part) => part && this.shape(part.shape).sensitive);
    const say = (constraint) => `Value ${hidden ? '' : `'${printed}' `}at '${at}' failed to satisfy constraint: ${constraint}`;
    const own = this.complaints(name, value).map(say);
    if (shape.type === 'list' && value.some((item) => this.complaints(shape.member.shape, item).length)) {
      own.push(say(shape.said || `Member must satisfy constraint: [${this.all(shape.member.shape)}]`));
    }
    for (const [part, what, items] of shape.type === 'map' ? [['key', 'Map keys', Object.keys(value)], ['value', 'Map value', Object.values(value)]] : []) {
      const inner = shape[part].shape;
      if (items.some((item) => this.complaints(inner, item).length)) own.push(say(`${what} must satisfy constraint: [${this.all(inner)}]`));
    }
    if (shape.said && own.length === 1 && own[0].endsWith(shape.pattern)) return [`The specified value for ${at} is invalid. It must ${shape.said}`];
    return own;
  }

  complaints(name, value) {
    const { type, min, max, enum: values, pattern: expression } = this.shape(name);
    const number = ['integer', 'long', 'double', 'float'].includes(type);
    const size = { string: () => value.length, list: () => value.length, map: () => Object.keys(value).length }[type] || (() => value);
    const found = [];
    const what = number ? 'value' : 'length';
    const bound = (n) => (['double', 'float'].includes(type) ? n.toFixed(1) : n);
    if (max !== undefined && size() > max) found.push(`Member must have ${what} less than or equal to ${bound(max)}`);
    if (min !== undefined && size() < min) found.push(`Member must have ${what} greater than or equal to ${bound(min)}`);
    if (expression && !pattern(this.shape(name)).test(value)) found.push(`Member must satisfy regular expression pattern: ${expression}`);
    if (values && !values.includes(value)) found.push(`Member must satisfy enum value set: [${values.join(', ')}]`);
    return found;
  }

  /* All that a list's or map's members must be, broken or not. */
  all(name) {
    const { type, min, max, enum: values, pattern: expression } = this.shape(name);
    const what = type === 'string' ? 'length' : 'value';
    const bound = (n) => (['double', 'float'].includes(type) ? n.toFixed(1) : n);
    return [...(max !== undefined ? [`Member must have ${what} less than or equal to ${bound(max)}`] : []),
      ...(min !== undefined ? [`Member must have ${what} greater than or equal to ${bound(min)}`] : []),
      ...(expression ? [`Member must satisfy regular expression pattern: ${expression}`] : []),
      ...(values ? [`Member must satisfy enum value set: [${values.join(', ')}]`] : []), 'Member must not be null'].join(', ');
  }

  /* As Java prints it. */
  print(name, value) {
    const shape = this.shape(name);
    if (shape.type === 'structure' || shape.type === 'blob') return undefined;
    if (['double', 'float', 'timestamp'].includes(shape.type)) return Number.isInteger(value) ? value.toFixed(1) : String(value);
    if (shape.type === 'list') return this.plain(shape.member.shape) ? `[${value.map((v) => this.print(shape.member.shape, v)).join(', ')}]` : undefined;
    if (shape.type !== 'map') return String(value);
    if (!this.plain(shape.value.shape)) return undefined;
    return `{${Object.entries(value).map(([k, v]) => `${k}=${this.print(shape.value.shape, v)}`).join(', ')}}`;
  }

  plain(name) {
    return !['structure', 'list', 'map'].includes(this.shape(name).type);
  }

  /* JSON of other types than the shape's. */
  types(name) {
    const { type } = this.shape(name);
    const all = { string: ['x'], number: [7], fraction: [1.5], boolean: [true], structure: [{}], list: [[]] };
    const own = { string: ['string'], blob: [], boolean: ['boolean'], timestamp: ['number', 'fraction', 'string'], integer: ['number'], long: ['number'],
      double: ['number', 'fraction'], float: ['number', 'fraction'], list: ['list'], map: ['structure'], structure: ['structure'] }[type];
    const found = Object.entries(all).filter(([kind]) => !own.includes(kind)).flatMap(([kind, values]) => values.map((v) => [`a ${kind}`, v]));
    if (type === 'integer' || type === 'long') found.push(['beyond 64 bits', 1e30]);
    if (type === 'blob') found.push(['no base64', '%%%']);
    if (type === 'list') found.push(['a list in a list', [[[]]]]);
    return found;
  }

  /* The parts of a valid request to an operation: {labels, query, headers, body}. */
  valid(op) {
    const input = this.input(op);
    const parts = { labels: {}, query: {}, headers: {}, body: undefined };
    for (const [name, member] of Object.entries(input.members)) {
      const wire = this.wire(input, name);
      if (input.payload === name) parts.body = '{}';
      else if (member.location === 'uri') parts.labels[wire] = this.value(member.shape);
      else if (!input.required?.includes(name)) continue;
      else if (member.location === 'querystring') parts.query[wire] = [this.value(member.shape)].flat();
      else if (member.location === 'header') parts.headers[wire] = this.value(member.shape);
      else parts.body = { ...parts.body, [wire]: this.value(member.shape) };
    }
    if (this.takesBody(op) && !input.payload) parts.body ||= {};
    return parts;
  }

  /* Some take nothing. */
  input(op) {
    return this.shape(op.input) || { members: {} };
  }

  takesBody(op) {
    const input = this.input(op);
    return this.service.protocol !== 'rest-json' || Object.entries(input.members).some(([name, m]) => !m.location || input.payload === name);
  }

  /* One request for each place and each way to break it: {what, at, kind, parts, words}. */
  * broken(op) {
    const input = this.input(op);
    const several = this.several(op);
    if (several) yield several;
    for (const [name, member] of Object.entries(input.members)) {
      if (input.payload === name) continue;
      const at = name[0].toLowerCase() + name.slice(1);
      if (member.location) yield* this.brokenText(op, name, member, at);
      else yield* this.brokenBody(op, [this.wire(input, name)], member.shape, at, 0);
      if (!member.location && input.required?.includes(name)) {
        for (const [what, value] of [['absent', undefined], ['null', null]]) {
          yield this.with(op, [this.wire(input, name)], value, at, what, 'constraint', member.shape);
        }
      }
    }
  }

  /* All members broken at once, as far as one message goes; undefined if fewer than two can be. */
  several(op) {
    const input = this.input(op);
    const parts = this.valid(op);
    const words = [];
    for (const [name, member] of Object.entries(input.members)) {
      const at = name[0].toLowerCase() + name.slice(1);
      const part = { uri: 'labels', querystring: 'query', header: 'headers' }[member.location] || 'body';
      if (input.payload === name || (part !== 'body' && !this.plain(member.shape))) continue;
      const [, value] = this.constraints(member.shape).find(([, v]) => v !== '' && !(Array.isArray(v) && !v.length) && this.words(member.shape, v, at)
        && (part === 'body' || /^[\x21-\x7e]+$/.test(v))) || [];
      const said = value === undefined ? [] : this.words(member.shape, value, at);
      if (!said.length || words.length + said.length > 10) continue;
      words.push(...said);
      parts[part][this.wire(input, name)] = part === 'query' ? [String(value)] : part === 'body' ? value : String(value);
    }
    return words.length > 1 ? { what: 'several at once', at: '', kind: 'constraint', parts, words } : undefined;
  }

  * brokenText(op, name, member, at) {
    const input = this.shape(op.input);
    const wire = this.wire(input, name);
    const number = ['integer', 'long'].includes(this.shape(member.shape).type);
    const part = { uri: 'labels', querystring: 'query', header: 'headers' }[member.location];
    const found = this.constraints(member.shape).map(([what, value]) => [what, value, 'constraint']);
    for (const text of number ? ['x', '1.5', '', ' 1', '0x5', '99999999999999999999'] : []) found.push([`"${text}"`, text, 'type']);
    for (const [what, value, kind] of found) {
      const parts = this.valid(op);
      const texts = [value].flat().map(String);
      /* an empty label is another path; a header cannot hold everything */
      if (part === 'labels' && texts[0] === '') continue;
      if (part === 'headers' && !/^([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?$/.test(texts[0])) continue;
      parts[part][wire] = part === 'query' ? texts : texts[0];
      const words = kind === 'constraint' ? this.words(member.shape, value, at) : undefined;
      yield { what: `${wire} ${what}`, at, kind, parts, words };
    }
  }

  * brokenBody(op, place, shapeName, at, depth) {
    for (const [what, value] of this.types(shapeName)) yield this.with(op, place, value, at, what, 'type');
    for (const [what, value] of this.constraints(shapeName)) yield this.with(op, place, value, at, what, 'constraint', shapeName);
    const shape = this.shape(shapeName);
    if (shape.type !== 'structure' || depth > 2) return;
    for (const [name, member] of Object.entries(shape.members)) {
      yield* this.brokenBody(op, [...place, this.wire(shape, name)], member.shape, `${at}.${name[0].toLowerCase()}${name.slice(1)}`, depth + 1);
    }
  }

  with(op, place, value, at, what, kind, shapeName) {
    const parts = this.valid(op);
    let here = parts.body;
    let shape = this.input(op);
    for (const step of place.slice(0, -1)) {
      const member = Object.entries(shape.members).find(([name]) => this.wire(shape, name) === step)[1];
      here[step] ||= this.value(member.shape);
      here = here[step];
      shape = this.shape(member.shape);
    }
    if (value === undefined) delete here[place.at(-1)];
    else here[place.at(-1)] = value;
    const words = shapeName && this.words(shapeName, value, at);
    return { what: `${place.join('.')} ${what}`, at, kind, parts, words };
  }
}

/* As the Query protocol sends it: A.B=1&List.member.1=x&Map.entry.1.key=k&Map.entry.1.value=v */
function* form(value, name) {
  if (value === null || value === undefined) return;
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) yield* form(item, `${name}.member.${i + 1}`);
  } else if (typeof value === 'object') {
    for (const [key, item] of Object.entries(value)) yield* form(item, name ? `${name}.${key}` : key);
  } else {
    yield `${name}=${encodeURIComponent(value)}`;
  }
}

/* The request itself {method, where, body, headers}, in its service's protocol. */
function request({ protocol, metadata }, op, parts) {
  if (protocol === 'query') {
    return { method: 'POST', where: '/', headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: [`Action=${op.name}`, `Version=${metadata.apiVersion}`, ...form(parts.body, '')].join('&') };
  }
  if (protocol === 'json') {
    return { method: 'POST', where: '/', body: JSON.stringify(parts.body), headers: {
      'Content-Type': `application/x-amz-json-${metadata.jsonVersion}`, 'X-Amz-Target': `${metadata.targetPrefix}.${op.name}` } };
  }
  return { method: op.http.method, where: target(op, parts), headers: parts.headers,
    body: parts.body === undefined || typeof parts.body === 'string' ? parts.body : JSON.stringify(parts.body) };
}

/* The target of a request with these labels and query values. */
function target(op, { labels, query }) {
  const [where, literal] = op.http.requestUri.split('?');
  const filled = where.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(labels[name]));
  const pairs = Object.entries(query).flatMap(([k, values]) => values.map((v) => `${k}=${encodeURIComponent(v)}`));
  if (literal) pairs.unshift(literal);
  return pairs.length ? `${filled}?${pairs.join('&')}` : filled;
}

module.exports = { Generator, target, request };
