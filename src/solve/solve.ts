import { setMaxListeners } from 'node:events';
import type { LimitFunction } from 'p-limit';
import type { Vertex } from '../graph/vertex.ts';
import type { Digest } from '../oci/digest.ts';
import type { Key } from './key.ts';
import type { Op, Outcome, ResultCache, RunContext } from './op.ts';

export interface SolveOptions<Spec, Result> {
  readonly op: (vertex: Vertex<Spec>) => Op<Result>;
  readonly cache: ResultCache<Result>;
  readonly limits: { readonly exec: LimitFunction; readonly transfer: LimitFunction };
  /** Whether a vertex is run again, whatever the cache has. */
  readonly noCache: (vertex: Vertex<Spec>) => boolean;
  readonly signal: AbortSignal;
  readonly onStarted: (vertex: Vertex<Spec>) => void;
  /** Its result is final, and recorded. */
  readonly onCompleted: (vertex: Vertex<Spec>, cached: boolean) => void;
  /** Called for every vertex that fails by itself, not for those that are cancelled then. */
  readonly onFailed: (vertex: Vertex<Spec>, error: unknown) => void;
}

/** The same for one vertex: `signal` aborts at the first failure too, `commitSignal` does not. */
interface NodeOptions<Spec, Result> extends SolveOptions<Spec, Result> {
  readonly commitSignal: AbortSignal;
}

interface Node<Result> {
  readonly key: Promise<Key>;
  readonly outcome: Promise<Outcome<Result>>;
}

/**
 * Runs every vertex as soon as its inputs are there, and each once. `vertices` stand in an order in which inputs come first. Gives the
 * committed result of each. The first failure cancels the rest, and is thrown when everything has come to rest.
 */
export async function solve<Spec, Result>(
  vertices: readonly Vertex<Spec>[],
  options: SolveOptions<Spec, Result>,
): Promise<ReadonlyMap<Digest, Result>> {
  const failure = new AbortController();
  // One of our own, because the caller's counts its listeners.
  const commitSignal = AbortSignal.any([options.signal]);
  const signal = AbortSignal.any([commitSignal, failure.signal]);
  setMaxListeners(0, signal, commitSignal);
  const nodes = new Map<Digest, Node<Result>>();
  for (const vertex of vertices) {
    if (nodes.has(vertex.digest)) continue;
    const inputs = vertex.inputs.map((input) => nodeOf(nodes, input.digest));
    nodes.set(vertex.digest, startNode(vertex, inputs, { ...options, signal, commitSignal }, failure));
  }
  const settled = await Promise.allSettled([...nodes.values()].map(async ({ outcome }) => (await outcome).committed));
  signal.throwIfAborted();
  const results = settled.map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
  return new Map([...nodes.keys()].map((digest, index) => [digest, results[index] as Result]));
}

function nodeOf<Result>(nodes: ReadonlyMap<Digest, Node<Result>>, digest: Digest): Node<Result> {
  const node = nodes.get(digest);
  if (!node) throw new Error(`the graph is not in order: input ${digest} comes after its consumer`);
  return node;
}

function startNode<Spec, Result>(
  vertex: Vertex<Spec>,
  inputs: readonly Node<Result>[],
  options: NodeOptions<Spec, Result>,
  failure: AbortController,
): Node<Result> {
  const op = options.op(vertex);
  const fail = (error: unknown): never => {
    // What fails after the first failure was cancelled by it, or would only hide it.
    if (!options.signal.aborted) {
      options.onFailed(vertex, error);
      failure.abort(error);
    }
    throw error;
  };
  const key = Promise.all(inputs.map((input) => input.key)).then((keys) => op.definitionKey(keys, options.signal));
  const outcome = runNode(vertex, op, key, inputs, options).catch(fail);
  outcome.then(({ committed }) => committed.catch(fail)).catch(() => {});
  // Awaited elsewhere; here it only must not count as unhandled.
  key.catch(() => {});
  return { key, outcome };
}

async function runNode<Spec, Result>(
  vertex: Vertex<Spec>,
  op: Op<Result>,
  keyPromise: Promise<Key>,
  inputNodes: readonly Node<Result>[],
  options: NodeOptions<Spec, Result>,
): Promise<Outcome<Result>> {
  const [key, inputs] = await Promise.all([keyPromise, Promise.all(inputNodes.map((input) => input.outcome))]);
  const committedInputs = () => Promise.all(inputs.map((input) => input.committed));
  const known = op.cacheable && (await options.cache.knows(key));
  // The parents' final form is waited for only where something can hit.
  const looked = known && !options.noCache(vertex) ? await lookUp(op, key, await committedInputs(), options) : {};
  if (looked.hit !== undefined) {
    options.onCompleted(vertex, true);
    return { result: looked.hit, committed: Promise.resolve(looked.hit) };
  }
  const made = await runOp(vertex, op, { key, known, signal: options.signal, commitSignal: options.commitSignal }, inputs, options);
  const outcome = known && options.noCache(vertex) && op.same ? await keepOlder(op, key, made, await committedInputs(), options) : made;
  const committed = Promise.all([outcome.committed, committedInputs()]).then(async ([result, settled]) => {
    if (op.cacheable) await publish(op, outcome.key ?? key, looked.contentKey, settled, result, options);
    options.onCompleted(vertex, false);
    return result;
  });
  // A failure of it is told by startNode; whoever awaits `committed` gets it too.
  committed.catch(() => {});
  return { result: outcome.result, committed };
}

function runOp<Spec, Result>(
  vertex: Vertex<Spec>,
  op: Op<Result>,
  context: RunContext,
  inputs: readonly Outcome<Result>[],
  { limits, onStarted }: NodeOptions<Spec, Result>,
): Promise<Outcome<Result>> {
  const run = async (): Promise<Outcome<Result>> => {
    context.signal.throwIfAborted();
    onStarted(vertex);
    return op.run(
      inputs.map((input) => input.result),
      context,
    );
  };
  return op.limit === 'none' ? run() : limits[op.limit](run);
}

/** A step that was made again and gave what an older build has: the older one stays, so that a rebuild that changes nothing changes no digest. */
async function keepOlder<Spec, Result>(
  op: Op<Result>,
  key: Key,
  made: Outcome<Result>,
  inputs: readonly Result[],
  options: NodeOptions<Spec, Result>,
): Promise<Outcome<Result>> {
  const { hit } = await lookUp(op, made.key ?? key, inputs, options);
  if (hit === undefined || !(await op.same?.(hit, await made.committed, options.signal))) return made;
  return { ...made, result: hit, committed: Promise.resolve(hit) };
}

/** First the definition key, which needs no bytes; then the content key, whose hit is recorded under the definition key as well. */
async function lookUp<Spec, Result>(
  op: Op<Result>,
  key: Key,
  inputs: readonly Result[],
  { cache, signal }: NodeOptions<Spec, Result>,
): Promise<{ hit?: Result; contentKey?: Key }> {
  const byDefinition = await cache.lookup('definition', key, inputs);
  if (byDefinition !== undefined) return { hit: byDefinition };
  const contentKey = await op.contentKey(inputs, signal);
  const byContent = await cache.lookup('content', contentKey, inputs);
  if (byContent === undefined) return { contentKey };
  await cache.record('definition', key, inputs, byContent);
  return { hit: byContent };
}

async function publish<Spec, Result>(
  op: Op<Result>,
  key: Key,
  contentKey: Key | undefined,
  inputs: readonly Result[],
  result: Result,
  { cache, commitSignal }: NodeOptions<Spec, Result>,
): Promise<void> {
  await cache.record('definition', key, inputs, result);
  await cache.record('content', contentKey ?? (await op.contentKey(inputs, commitSignal)), inputs, result);
}
