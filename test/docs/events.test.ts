import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/events.md'), 'utf8');
const examples = [...page.matchAll(/^```json\n(.*?)^```$/gms)].map((match) => match[1] ?? '');

/** Of the source's text, not of what the page is made from. */
const members = readFileSync(join(root, 'src/progress/events.ts'), 'utf8')
  .split(/^ {2}\|/m)
  .slice(1)
  .map((text) => ({ type: /readonly type: '([^']+)'/.exec(text)?.[1] ?? '', text }));

test('docs/events.md: every type of event has its section and one example, in one line of JSON', () => {
  const types = members.map(({ type }) => type).toSorted();
  assert.ok(types.length > 10 && !types.includes(''), types.join());
  for (const example of examples) assert.match(example, /^\{[^\n]*\}\n$/);
  assert.deepEqual(examples.map((example) => JSON.parse(example).type).toSorted(), types);
  assert.deepEqual([...page.matchAll(/^## (.*)$/gm)].map((match) => match[1] ?? '').toSorted(), types);
});

for (const { type, text } of members) {
  test(`docs/events.md: ${type} has its fields, and which of them may be missing`, () => {
    const section = page.slice(page.indexOf(`\n## ${type}\n`) + 1).split(/^## /m)[1] ?? '';
    const listed = [...section.matchAll(/^\| `(\w+\??)` \|/gm)].map((match) => match[1] ?? '');
    // Fields of the event itself; those of a list's elements stand within braces.
    const flat = text.replaceAll(/readonly \{[^}]*\}\[\]/g, '[]');
    const declared = [...flat.matchAll(/readonly (\w+\??):/g)].map((match) => match[1] ?? '').filter((name) => !/^(type|time)$/.test(name));
    assert.deepEqual(listed.toSorted(), declared.toSorted());
  });
}
