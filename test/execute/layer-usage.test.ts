import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layerUsage } from '../../src/execute/layer-usage.ts';
import type { CopySpec, Spec } from '../../src/graph/spec.ts';
import { type Vertex, vertex } from '../../src/graph/vertex.ts';

const copy: CopySpec = {
  kind: 'copy',
  instruction: 'COPY',
  parts: [{ input: 1, sources: ['a'], parents: false, unpack: false }],
  destination: '/',
  exclude: [],
  link: false,
};
const context = vertex<Spec>({ kind: 'local', name: 'context' }, [], 'context');
const base = vertex<Spec>(copy, [vertex<Spec>({ kind: 'scratch' }, [], 'scratch'), context], 'base');
const onBase = (spec: Spec): Vertex<Spec> => vertex<Spec>(spec, spec.kind === 'copy' ? [base, context] : [base], 'step');

// Names are looked up in the bytes of /etc/passwd, which an index does not have.
for (const { name, spec, want } of [
  { name: 'a copy of files for numbers reads nothing of what it stands on', spec: { ...copy, chown: '1000:50' }, want: false },
  { name: 'a copy without --chown neither', spec: copy, want: false },
  { name: 'a user by name is read from what it stands on', spec: { ...copy, chown: 'user' }, want: true },
  { name: 'a group by name too', spec: { ...copy, chown: '0:staff' }, want: true },
  { name: 'a WORKDIR of root reads nothing', spec: { kind: 'mkdir', path: '/w', user: '' }, want: false },
  { name: 'a WORKDIR of a user by name does', spec: { kind: 'mkdir', path: '/w', user: 'user' }, want: true },
] as const satisfies readonly { name: string; spec: Spec; want: boolean }[]) {
  test(`layer usage: ${name}`, () => {
    const step = onBase(spec);
    const usage = layerUsage([base, step], step, { image: true, files: false });
    assert.equal(usage.onDisk(base), want);
  });
}
