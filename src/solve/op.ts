import type { Key } from './key.ts';

/** All that the solver may ask of a vertex. */
export interface Op<Result> {
  /** Which bound holds it back: programs and transfers are counted apart. */
  readonly limit: 'exec' | 'transfer' | 'none';
  /** A source is cheap to make and is never looked up. */
  readonly cacheable: boolean;
  /** Own fields and the definition keys of the inputs. Equal keys, also in another build, mean that the result may be reused. */
  definitionKey(inputs: readonly Key[], signal: AbortSignal): Promise<Key>;
  /** Own fields and the content of the inputs; asked for only when the definition key missed, and when a result is recorded. */
  contentKey(inputs: readonly Result[], signal: AbortSignal): Promise<Key>;
  run(inputs: readonly Result[], context: RunContext): Promise<Outcome<Result>>;
  /**
   * Whether what was made again is what an older build has, but for the time at which it was made. Left out where a result holds no
   * such time, or where `run` finds an older result by itself.
   */
  same?(older: Result, made: Result, signal: AbortSignal): Promise<boolean>;
}

export interface RunContext {
  /** Aborts when the build is given up, and when another vertex fails. */
  readonly signal: AbortSignal;
  /** Aborts when the build is given up only. For what is left to do once the result is there: a step that has run need not run again
   * because a later one fails. */
  readonly commitSignal: AbortSignal;
  readonly key: Key;
  /** The cache has a record with the same own fields: an older result may turn out to be the same. */
  readonly known: boolean;
}

/** A result that others may start on, and the promise of its final form, which is what the cache keeps. */
export interface Outcome<Result> {
  readonly result: Result;
  readonly committed: Promise<Result>;
  /** The key to record it under, where the inputs turned out to be others than those that were looked up. */
  readonly key?: Key;
}

/** Where results of earlier builds are. Lookups and records take committed inputs only. */
export interface ResultCache<Result> {
  /** Whether any record has these own fields: without one nothing can hit. */
  knows(key: Key): Promise<boolean>;
  lookup(kind: 'definition' | 'content', key: Key, inputs: readonly Result[]): Promise<Result | undefined>;
  record(kind: 'definition' | 'content', key: Key, inputs: readonly Result[], result: Result): Promise<void>;
}
