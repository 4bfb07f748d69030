// Generates bot/slackfake/schema/blocks.json, a draft-07 schema of Block Kit, from Slack's own types.
//
//   node schema.mjs             writes the file
//   node schema.mjs --check     exits 1 when the committed file differs
//
// The types say which properties exist; their doc comments say how long each may be ("Maximum length for this
// field is 75 characters"). Both are official, so no one here can mistype a limit. What neither says is added
// at the bottom, by hand, and cross-field rules are in Go (blockrules.go).
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createGenerator } from 'ts-json-schema-generator';

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, '../../bot/slackfake/schema/blocks.json');
const schema = createGenerator({
  path: join(here, 'surfaces.ts'), type: 'Surfaces', skipTypeCheck: true, additionalProperties: false, topRef: false,
}).createSchema('Surfaces');
const defs = schema.definitions;
const injected = [];

const resolve = (s) => (s.$ref ? resolve(defs[decodeURIComponent(s.$ref.slice('#/definitions/'.length))]) : s);
const isText = (s) => {
  const r = resolve(s);
  if (r.anyOf) return r.anyOf.every(isText);
  return ['plain_text', 'mrkdwn'].includes(r.properties?.type?.const);
};

// limits reads the numbers out of one doc comment, sentence by sentence.
function limits(prop, path) {
  const found = {};
  const kind = isText(prop) ? 'text' : resolve(prop).type;
  for (const sentence of (prop.description ?? '').replace(/\s+/g, ' ').split(/\.\s|\.$/)) {
    const max = /\bmax(?:imum)?\b[^.]*?\b`?(\d[\d,]*)\b/i.exec(sentence);
    const min = /\bmin(?:imum)?\b[^.,]*?\b`?(\d+)\b/i.exec(sentence);
    if (!max) continue;
    const n = Number(max[1].replace(',', ''));
    if (/in each item/.test(sentence)) found.items = { properties: { text: { maxLength: n } } };
    else if (/table cells/.test(sentence)) found.items = { maxItems: n };
    else if (kind === 'text') found.properties = { text: { maxLength: n } };
    else if (kind === 'string') found.maxLength = n;
    else if (kind === 'array') found.maxItems = n;
    else if (kind === 'number') found.maximum = n;
    else continue;
    if (min && kind === 'string') found.minLength = Number(min[1]);
    if (min && kind === 'array') found.minItems = Number(min[1]);
    if (min && kind === 'number') found.minimum = Number(min[1]);
    injected.push(`${path} ${kind} ${n}`);
  }
  return found;
}

// refine walks the schema: limits from comments, then no comments, and a switch on `type` in place of anyOf,
// so that a mistake is reported where it is and not as "none of 20 branches".
function refine(node, path) {
  if (Array.isArray(node)) return node.map((n, i) => refine(n, `${path}/${i}`));
  if (node === null || typeof node !== 'object') return node;
  const out = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === 'description' || key === 'deprecated') continue;
    if (key === 'properties') {
      out.properties = {};
      for (const [name, prop] of Object.entries(value)) {
        const extra = limits(prop, `${path}.${name}`);
        const plain = refine(prop, `${path}.${name}`);
        // In draft-07 the siblings of $ref are ignored, hence allOf.
        out.properties[name] = Object.keys(extra).length ? { allOf: [plain, extra] } : plain;
      }
    } else out[key] = refine(value, path);
  }
  return out.anyOf ? byType(out) : out;
}

function typesOf(branch) {
  const r = resolve(branch);
  if (r.anyOf) {
    const all = r.anyOf.map(typesOf);
    return all.some((t) => t === null) ? null : [...new Set(all.flat())];
  }
  const t = r.properties?.type;
  return t?.const ? [t.const] : t?.enum ?? null;
}

function byType(node) {
  const groups = new Map();
  for (const branch of node.anyOf) {
    const types = typesOf(branch);
    if (!types) return node;
    for (const t of types) groups.set(t, [...(groups.get(t) ?? []), branch]);
  }
  const { anyOf, ...rest } = node;
  return {
    ...rest, type: 'object', required: ['type'], properties: { type: { enum: [...groups.keys()] } },
    allOf: [...groups].map(([t, list]) => ({
      if: { properties: { type: { const: t } } },
      then: list.length === 1 ? list[0] : { anyOf: list },
    })),
  };
}

const out = refine(schema, '');

// By hand: what Slack's reference says and the types do not.
out.properties.message.properties.blocks.maxItems = 50;
for (const t of ['PlainTextElement', 'MrkdwnElement']) {
  out.definitions[t].properties.text.allOf.push({ minLength: 1 });
}
out.definitions.SectionBlock.anyOf = [{ required: ['text'] }, { required: ['fields'] }];
for (const t of ['ActionsBlock', 'ContextBlock']) out.definitions[t].properties.elements.allOf.push({ minItems: 1 });
out.definitions.Overflow.properties.options = { allOf: [out.definitions.Overflow.properties.options, { maxItems: 5, minItems: 1 }] };
out.definitions.MarkdownBlock.properties.text.maxLength = 12000;
out.$comment = 'Generated by .ci/bolt/schema.mjs from @slack/types; do not edit.';

// One definition a line: a change of a limit is a diff of one line.
const { definitions, ...root } = out;
const lines = Object.keys(definitions).sort().map((k) => `${JSON.stringify(k)}:${JSON.stringify(definitions[k])}`);
const text = `${JSON.stringify(root).slice(0, -1)},"definitions":{\n${lines.join(',\n')}\n}}\n`;
if (process.argv.includes('--list')) console.log(injected.join('\n'));
else if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    console.error('bot/slackfake/schema/blocks.json is not what schema.mjs generates: run node schema.mjs');
    process.exit(1);
  }
} else {
  writeFileSync(target, text);
  console.log(`${injected.length} limits, ${text.length} bytes`);
}
