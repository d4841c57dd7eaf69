import assert from 'node:assert/strict';
import { test } from 'node:test';
import pLimit from 'p-limit';
import { type Vertex, vertex } from '../../src/graph/vertex.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { field, type Key, makeKey } from '../../src/solve/key.ts';
import type { Op, ResultCache } from '../../src/solve/op.ts';
import { solve } from '../../src/solve/solve.ts';

/** Ops in memory: a step gives its inputs' texts and its own, and counts its runs. */
interface Spec {
  readonly text: string;
  readonly fails?: boolean;
  /** What it really gives; the key does not know it. */
  readonly gives?: string;
  /** Its final form is there only after another step has failed. */
  readonly late?: boolean;
}

interface Rig {
  readonly runs: string[];
  readonly cached: string[];
  readonly failed: string[];
  build(vertices: readonly Vertex<Spec>[], options?: { noCache?: boolean; gives?: Record<string, string> }): Promise<string>;
}

function rig(): Rig {
  const records = new Map<string, { inputs: string; result: string }>();
  const owns = new Set<string>();
  const cache: ResultCache<string> = {
    knows: async (key) => owns.has(key.own),
    async lookup(kind, key, inputs) {
      const record = records.get(`${kind} ${key.digest}`);
      return record && (kind === 'content' || record.inputs === inputs.join()) ? record.result : undefined;
    },
    async record(kind, key, inputs, result) {
      owns.add(key.own);
      records.set(`${kind} ${key.digest}`, { inputs: inputs.join(), result });
    },
  };
  const runs: string[] = [];
  const cached: string[] = [];
  const failed: string[] = [];
  const failure = Promise.withResolvers<void>();
  const opOf =
    (gives: Record<string, string>) =>
    ({ spec }: Vertex<Spec>): Op<string> => ({
      limit: 'exec',
      cacheable: true,
      definitionKey: async (inputs: readonly Key[]) =>
        makeKey(
          [field('text', spec.text)],
          inputs.map((input) => ['input', input.digest]),
        ),
      contentKey: async (inputs) =>
        makeKey(
          [field('text', spec.text)],
          inputs.map((input) => ['content', digestOf(input)]),
        ),
      async run(inputs, { commitSignal }) {
        if (spec.fails) throw new Error(`${spec.text} fails`);
        runs.push(spec.text);
        const result = `(${inputs.join(' ')} ${gives[spec.text] ?? spec.text})`;
        const late = () => failure.promise.then(() => (commitSignal.aborted ? Promise.reject(commitSignal.reason) : result));
        return { result, committed: spec.late ? late() : Promise.resolve(result) };
      },
    });
  return {
    runs,
    cached,
    failed,
    async build(vertices, { noCache = false, gives = {} } = {}) {
      runs.length = cached.length = failed.length = 0;
      const results = await solve(vertices, {
        op: opOf(gives),
        cache,
        limits: { exec: pLimit(4), transfer: pLimit(4) },
        noCache: () => noCache,
        signal: new AbortController().signal,
        onStarted: () => {},
        onCompleted: ({ spec }, hit) => hit && cached.push(spec.text),
        onFailed: ({ spec }) => {
          failed.push(spec.text);
          failure.resolve();
        },
      });
      return results.get(vertices.at(-1)?.digest as never) ?? '';
    },
  };
}

/** base → a → b, and a second stage c on base; the target takes both. */
function graph(change: { a?: string } = {}): Vertex<Spec>[] {
  const make = (text: string, ...inputs: Vertex<Spec>[]) => vertex<Spec>({ text }, inputs, text);
  const base = make('base');
  const a = make(change.a ?? 'a', base);
  const b = make('b', a);
  const c = make('c', base);
  return [base, a, b, c, make('target', b, c)];
}

test('a first build runs every vertex once, a shared one too', async () => {
  const { build, runs } = rig();
  assert.equal(await build(graph()), '(((( base) a) b) (( base) c) target)');
  assert.deepEqual([...runs].sort(), ['a', 'b', 'base', 'c', 'target']);
});

test('a second build runs nothing', async () => {
  const { build, runs, cached } = rig();
  await build(graph());
  await build(graph());
  assert.deepEqual(runs, []);
  assert.equal(cached.length, 5);
});

test('a changed step runs again with all that stand on it, and nothing else', async () => {
  const { build, runs } = rig();
  await build(graph());
  await build(graph({ a: 'a2' }));
  assert.deepEqual(runs, ['a2', 'b', 'target']);
});

test('a changed step that gives the same content lets the steps after it hit by content', async () => {
  const { build, runs } = rig();
  await build(graph());
  await build(graph({ a: 'a2' }), { gives: { a2: 'a' } });
  assert.deepEqual(runs, ['a2']);
  await build(graph({ a: 'a2' }), { gives: { a2: 'a' } });
  assert.deepEqual(runs, []);
});

test('without the cache everything runs, and is recorded', async () => {
  const { build, runs } = rig();
  await build(graph());
  await build(graph(), { noCache: true });
  assert.equal(runs.length, 5);
  await build(graph());
  assert.deepEqual(runs, []);
});

test('a step made again with another result does not lend its old children to the new one', async () => {
  const { build, runs } = rig();
  const all = graph();
  const upToA = all.slice(0, 2);
  await build(all);
  await build(upToA, { noCache: true, gives: { a: 'other' } });
  await build(all);
  assert.deepEqual(runs, ['b', 'target']);
});

test('the first failure is the one that is thrown and told, and the rest is cancelled', async () => {
  const { build, failed } = rig();
  const bad = vertex<Spec>({ text: 'bad', fails: true }, [], 'bad');
  const after = vertex<Spec>({ text: 'after' }, [bad], 'after');
  await assert.rejects(build([bad, after]), /bad fails/);
  assert.deepEqual(failed, ['bad']);
});

test('vertices out of order are a defect', async () => {
  const { build } = rig();
  await assert.rejects(build(graph().reverse()), /not in order/);
});

test('what a step made is recorded, though a later one fails before it is in its final form', async () => {
  const { build, runs } = rig();
  const made = vertex<Spec>({ text: 'made', late: true }, [], 'made');
  const broken = vertex<Spec>({ text: 'broken', fails: true }, [made], 'broken');
  await assert.rejects(build([made, broken]), /broken fails/);
  await assert.rejects(build([made, broken]), /broken fails/);
  assert.deepEqual(runs, []);
});

test('a step is completed when its result is recorded; one whose commit fails never is', async () => {
  const told: string[] = [];
  const key = async () => makeKey([field('text', 'step')], []);
  const commits = { good: async () => 'final', bad: () => Promise.reject(new Error('no space left')) };
  const [good, bad] = (['good', 'bad'] as const).map((text) => vertex({ text }, [], text));
  for (const each of [good, bad]) {
    const solved = solve([each as Vertex<{ text: 'good' | 'bad' }>], {
      op: ({ spec }) => ({
        limit: 'none',
        cacheable: true,
        definitionKey: key,
        contentKey: key,
        run: async () => ({ result: 'first', committed: commits[spec.text]() }),
      }),
      cache: { knows: async () => false, lookup: async () => undefined, record: async (kind) => void told.push(`recorded ${kind}`) },
      limits: { exec: pLimit(1), transfer: pLimit(1) },
      noCache: () => false,
      signal: new AbortController().signal,
      onStarted: ({ name }) => told.push(`${name} started`),
      onCompleted: ({ name }) => told.push(`${name} completed`),
      onFailed: ({ name }) => told.push(`${name} failed`),
    });
    if (each === bad) await assert.rejects(solved, /no space left/);
    else await solved;
  }
  assert.deepEqual(told, ['good started', 'recorded definition', 'recorded content', 'good completed', 'bad started', 'bad failed']);
});
