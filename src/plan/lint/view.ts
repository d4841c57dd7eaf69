// What the planner knows, as the rules want to see it.

import type { Instruction } from '../../../grammar/ast.ts';
import { splitKeyValue } from '../../../grammar/key-values.ts';
import { expandWord } from '../../../grammar/words/expand.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import { parsePlatform } from '../../oci/platform.ts';
import type { BuildScope } from '../build-scope.ts';
import { sourceNames } from '../dependencies.ts';
import { sourceStage } from '../find-stage.ts';
import { namedContext } from '../named-contexts.ts';
import type { Prepared } from '../prepare.ts';
import type { Section, Stage } from '../stages.ts';
import type { Linter } from './linter.ts';
import type { Lines, UsedExpansion } from './rule.ts';

/** Shows the linter each FROM, up to the first that ends the build. */
export function lintFroms(linter: Linter, sections: readonly Section[], globals: Globals): void {
  const { values, instructions, escape: escapeCharacter } = globals;
  const expand = (word: string): UsedExpansion => {
    const used = new Set<string>();
    const lookup = (name: string): string | undefined => {
      const value = values.get(name);
      if (value !== undefined) used.add(name);
      return value;
    };
    return { ...expandWord(word, lookup, { escape: escapeCharacter, quotes: 'remove' }), used };
  };
  const written = instructions.flatMap(({ args }) => args.map((word) => splitKeyValue(word)?.name ?? word));
  const declared = new Set([...written, ...values.keys()]);
  for (const { from } of sections) {
    const base = expand(from.args[0] ?? '');
    const flag = from.flags.find(({ name }) => name === 'platform');
    const isBase = base.error === undefined && base.text !== '';
    const platform = flag && isBase ? expand(flag.value ?? '') : undefined;
    linter.readFrom({ from, base, platform, declared, targetPlatform: values.get('TARGETPLATFORM') });
    if (!isBase || (platform && !isPlatform(platform))) return;
  }
}

interface Globals {
  readonly instructions: readonly Instruction[];
  readonly values: ReadonlyMap<string, string>;
  readonly escape: '\\' | '`';
}

/** Shows the linter the images that stages stand on or take files from. */
export function lintBases(linter: Linter, prepared: Prepared, all: readonly Stage[], build: BuildScope): void {
  for (const stage of prepared.stages) {
    const { base, from, instructions } = stage;
    const show = (name: string, lines: Lines, expected = build.targetPlatform): void => {
      const { os, architecture, variant, rootfs, history = [] } = prepared.image(name, expected).config;
      // What has no files runs anywhere.
      if (rootfs.diff_ids.length === 0 && history.every((row) => row.empty_layer)) return;
      linter.readBase({
        name,
        expected,
        actual: { ...(os && { os }), ...(architecture && { architecture }), ...(variant && { variant }) },
        lines,
      });
    };
    if (base.kind === 'image' && !stage.replaced) show(base.reference, from.lines, stage.platform);
    for (const instruction of instructions) {
      for (const { name, range } of sourceNames(instruction)) {
        const isStage = sourceStage(name, all, stage, { ...range, file: build.file }) !== undefined;
        if (!isStage && !namedContext(name, build.namedContexts, build.targetPlatform)) show(name, instruction.lines);
      }
    }
  }
}

function isPlatform({ text, error }: UsedExpansion): boolean {
  if (error !== undefined || text === '') return false;
  try {
    parsePlatform(text);
    return true;
  } catch (failure) {
    if (failure instanceof BuildError) return false;
    throw failure;
  }
}
