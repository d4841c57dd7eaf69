import type { Dockerfile, Instruction } from '../../grammar/ast.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import { type Platform, parsePlatform } from '../oci/platform.ts';
import { type BuildScope, type FileScope, sourceRange } from './build-scope.ts';
import { expandText, unsetIn } from './expansion.ts';
import { type NamedContext, namedContext } from './named-contexts.ts';
import { didYouMean } from './suggestion.ts';

/** One FROM and what follows it, up to the next one; its words are as written. */
export interface Section {
  readonly from: Instruction;
  readonly instructions: readonly Instruction[];
}

export interface Stage {
  readonly index: number;
  /** Lower case; undefined without AS. */
  readonly name: string | undefined;
  readonly from: Instruction;
  readonly base: Base;
  /** From `--platform`. */
  readonly platform: Platform | undefined;
  readonly instructions: readonly Instruction[];
  /** A named context stands in its place. */
  readonly replaced: boolean;
}

/** What a stage stands on. */
export type Base =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'stage'; readonly stage: Stage }
  | { readonly kind: 'image'; readonly reference: string }
  /** A named context of files. */
  | { readonly kind: 'files'; readonly vertex: Vertex<Spec> };

/** The ARGs before the first FROM, and the sections. The grammar has refused everything else there. */
export function splitSections({ instructions }: Dockerfile): { globals: readonly Instruction[]; sections: readonly Section[] } {
  const starts = instructions.flatMap(({ name }, index) => (name === 'FROM' ? [index] : []));
  const globals = instructions.slice(0, starts[0] ?? instructions.length);
  const sections = starts.flatMap((start, place) => {
    const from = instructions[start];
    return from ? [{ from, instructions: instructions.slice(start + 1, starts[place + 1]) }] : [];
  });
  return { globals, sections };
}

/**
 * Reads the FROM lines. A stage's base is an earlier stage where one has that name, else a named context, else an image. A named context
 * that is named as a stage takes its place: nothing of the stage is run.
 */
export function readStages(sections: readonly Section[], scope: ReadonlyMap<string, string>, build: BuildScope): readonly Stage[] {
  const stages: Stage[] = [];
  // Of two with one name the later one counts for what follows.
  const named = new Map<string, Stage>();
  for (const { from, instructions } of sections) {
    const name = stageNameOf(from);
    const text = expandFrom(from, from.args[0] ?? '', scope, build);
    const platform = platformOf(from, scope, build);
    const find = (wanted: string) => namedContext(wanted, build.namedContexts, platform ?? build.targetPlatform);
    const instead = name === undefined ? undefined : find(name);
    const base = instead ? contextBase(instead) : baseOf(text, named, find);
    const stage: Stage = {
      index: stages.length,
      name,
      from,
      base,
      platform,
      instructions: instead ? [] : instructions,
      replaced: Boolean(instead),
    };
    stages.push(stage);
    if (name !== undefined) named.set(name, stage);
  }
  return stages;
}

/** The name that AS gives, in lower case. */
export const stageNameOf = ({ args }: Instruction): string | undefined => args[2]?.toLowerCase();

function baseOf(text: string, earlier: ReadonlyMap<string, Stage>, find: (name: string) => NamedContext | undefined): Base {
  const stage = earlier.get(text.toLowerCase());
  if (stage) return { kind: 'stage', stage };
  if (text === 'scratch') return { kind: 'scratch' };
  const context = find(text);
  return context ? contextBase(context) : { kind: 'image', reference: text };
}

/** What a stage that begins with a named context stands on. */
function contextBase(context: NamedContext): Base {
  if (context.kind === 'scratch') return { kind: 'scratch' };
  return context.kind === 'image' ? { kind: 'image', reference: context.reference } : { kind: 'files', vertex: context.vertex };
}

function platformOf(from: Instruction, scope: ReadonlyMap<string, string>, source: FileScope): Platform | undefined {
  const [flag] = from.flags;
  // As in BuildKit, one that is written empty is none.
  if (!flag?.text) return undefined;
  const range = sourceRange(source, flag.range);
  const text = expandText(flag.text, scope, { ...source, range });
  if (text === '') throw invalid(source, flag, 'the platform of FROM is empty', emptyHint(flag.text, scope, source));
  try {
    return parsePlatform(text);
  } catch (error) {
    throw error instanceof BuildError ? error.at(range) : error;
  }
}

function expandFrom(from: Instruction, word: string, scope: ReadonlyMap<string, string>, source: FileScope): string {
  const range = from.argRanges[0] ?? from.range;
  const text = expandText(word, scope, { ...source, range: sourceRange(source, range) });
  if (text !== '') return text;
  throw invalid(source, { range }, `the base of the stage is empty ("${word}")`, emptyHint(word, scope, source));
}

function emptyHint(word: string, scope: ReadonlyMap<string, string>, source: FileScope): string {
  const near = unsetIn(word, scope, source).flatMap((name) => didYouMean(name, [...scope.keys()]) ?? []);
  return near[0] ?? 'declare its variables with ARG before the first FROM';
}

const invalid = (source: FileScope, { range }: Pick<Instruction, 'range'>, message: string, hint?: string): BuildError =>
  new BuildError('DOCKERFILE_INVALID', message, { range: sourceRange(source, range), hint });
