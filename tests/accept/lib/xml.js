/* As much XML as AWS's Query protocol answers: elements, attributes, text, entities. Anything else is an error. */
'use strict';

const ENTITIES = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function unescape(text) {
  if (/[<>]/.test(text) || /&(?!(lt|gt|amp|quot|apos|#\d+|#x[0-9a-fA-F]+);)/.test(text)) throw new Error(`bad text: ${text}`);
  return text.replace(/&(#x?)?([^;]+);/g, (_, number, name) => (number
    ? String.fromCodePoint(Number.parseInt(name, number === '#x' ? 16 : 10)) : ENTITIES[name]));
}

function attributesOf(text) {
  const found = {};
  for (const [, name, value] of text.matchAll(/\s+([\w:.-]+)="([^"]*)"/g)) found[name] = unescape(value);
  return found;
}

/* The root element {name, attributes, children, text}, or undefined if this is no document. */
function parse(text) {
  const document = text.replace(/^<\?xml[^>]*\?>/, '');
  const top = { children: [], text: '' };
  const stack = [top];
  let at = 0;
  try {
    for (const tag of document.matchAll(/<(\/?)([\w:.-]+)((?:\s+[\w:.-]+="[^"]*")*)\s*(\/?)>/g)) {
      const here = stack[stack.length - 1];
      here.text += unescape(document.slice(at, tag.index));
      at = tag.index + tag[0].length;
      if (tag[1]) {
        if (stack.length === 1 || stack.pop().name !== tag[2]) return undefined;
      } else {
        const node = { name: tag[2], attributes: attributesOf(tag[3]), children: [], text: '' };
        here.children.push(node);
        if (!tag[4]) stack.push(node);
      }
    }
  } catch {
    return undefined;
  }
  return stack.length === 1 && top.children.length === 1 && !top.text.trim() && !document.slice(at).trim() ? top.children[0] : undefined;
}

module.exports = { parse };
