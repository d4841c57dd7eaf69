import type { Dockerfile, Instruction } from '../../grammar/ast.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import { type Platform, parsePlatform } from '../oci/platform.ts';
import { type FileScope, sourceRange } from './build-scope.ts';
import { expandText } from './expansion.ts';

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
}

/** What a stage stands on. */
export type Base =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'stage'; readonly stage: Stage }
  | { readonly kind: 'image'; readonly reference: string };

/** The ARGs before the first FROM, and the sections. Throws where there is no FROM, or something else before it. */
export function splitSections(
  { instructions }: Dockerfile,
  source: FileScope,
): { globals: readonly Instruction[]; sections: readonly Section[] } {
  const starts = instructions.flatMap(({ name }, index) => (name === 'FROM' ? [index] : []));
  const globals = instructions.slice(0, starts[0] ?? instructions.length);
  const stray = globals.find(({ name }) => name !== 'ARG');
  if (stray) throw invalid(source, stray, `${stray.name} stands before the first FROM`, 'only ARG may stand there');
  if (starts.length === 0) {
    throw new BuildError('DOCKERFILE_INVALID', `"${source.file}" has no FROM`, {
      hint: 'a Dockerfile begins with FROM: "FROM scratch" for an empty base',
    });
  }
  const sections = starts.flatMap((start, place) => {
    const from = instructions[start];
    return from ? [{ from, instructions: instructions.slice(start + 1, starts[place + 1]) }] : [];
  });
  return { globals, sections };
}

/** Reads the FROM lines. A stage's base is an earlier stage where one has that name, else an image. */
export function readStages(sections: readonly Section[], scope: ReadonlyMap<string, string>, source: FileScope): readonly Stage[] {
  const stages: Stage[] = [];
  for (const { from, instructions } of sections) {
    const name = stageNameOf(from, source);
    const text = expandFrom(from, from.args[0] ?? '', scope, source);
    stages.push({ index: stages.length, name, from, base: baseOf(text, stages), platform: platformOf(from, scope, source), instructions });
  }
  return stages;
}

/** The name that AS gives, in lower case. */
export function stageNameOf(from: Instruction, source: FileScope): string | undefined {
  const [, as, name] = from.args;
  if (from.args.length === 1) return undefined;
  if (from.args.length !== 3 || as?.toUpperCase() !== 'AS' || name === undefined) {
    throw invalid(source, from, 'FROM takes an image, and "AS name" if the stage is to have a name');
  }
  if (/^[a-z][a-z0-9_.-]*$/i.test(name)) return name.toLowerCase();
  throw invalid(
    source,
    from,
    `"${name}" cannot be the name of a stage`,
    'a name begins with a letter and has letters, digits, "-", "_" and "."',
  );
}

/** The stage of that name that was defined last. */
export const stageNamed = (name: string, stages: readonly Stage[]): Stage | undefined =>
  stages.findLast((stage) => stage.name === name.toLowerCase());

function baseOf(text: string, earlier: readonly Stage[]): Base {
  const stage = stageNamed(text, earlier);
  if (stage) return { kind: 'stage', stage };
  return text === 'scratch' ? { kind: 'scratch' } : { kind: 'image', reference: text };
}

function platformOf(from: Instruction, scope: ReadonlyMap<string, string>, source: FileScope): Platform | undefined {
  const [flag] = from.flags;
  if (!flag) return undefined;
  const range = sourceRange(source, flag.range);
  const text = expandText(flag.value ?? '', scope, { ...source, range });
  if (text === '') throw invalid(source, flag, 'the platform of FROM is empty', 'declare its variables with ARG before the first FROM');
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
  throw invalid(source, { range }, `the base of the stage is empty ("${word}")`, 'declare its variables with ARG before the first FROM');
}

const invalid = (source: FileScope, { range }: Pick<Instruction, 'range'>, message: string, hint?: string): BuildError =>
  new BuildError('DOCKERFILE_INVALID', message, { range: sourceRange(source, range), hint });
