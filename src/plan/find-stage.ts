import { BuildError } from '../diagnostics/build-error.ts';
import type { SourceRange } from '../diagnostics/source-range.ts';
import type { Stage } from './stages.ts';
import { didYouMean } from './suggestion.ts';

/** The stage that `--target` names, or the last one. Throws STAGE_NOT_FOUND. */
export function targetStage(stages: readonly [Stage, ...Stage[]], target: string | undefined): Stage {
  if (!target) return stages.at(-1) ?? stages[0];
  const stage = stageNamed(target, stages) ?? (isIndex(target) ? stages[Number(target)] : undefined);
  if (stage) return stage;
  throw new BuildError('STAGE_NOT_FOUND', `no stage is named "${target}"`, { hint: stagesHint(target, stages) });
}

/**
 * The stage that `--from` or `from=` of a stage names, by name or index; undefined when it must be an image. Only stages before this one
 * count: throws STAGE_NOT_FOUND where a later one, or none of that index, is meant.
 */
export function sourceStage(name: string, stages: readonly Stage[], user: Stage, range: SourceRange): Stage | undefined {
  const found = stageNamed(name, stages, user.index) ?? (isIndex(name) && Number(name) < user.index ? stages[Number(name)] : undefined);
  if (found) return found;
  const later = stageNamed(name, stages) ?? (isIndex(name) ? stages[Number(name)] : undefined);
  if (later?.index === user.index) {
    throw new BuildError('STAGE_NOT_FOUND', `stage "${name}" cannot take files from itself`, {
      range,
      hint: 'name a stage that stands before it',
    });
  }
  if (later) {
    const hint = `it begins on line ${later.from.range.start.line}: move it before this stage`;
    throw new BuildError('STAGE_NOT_FOUND', `stage "${name}" stands after the stage that uses it`, { range, hint });
  }
  if (!isIndex(name)) return undefined;
  throw new BuildError('STAGE_NOT_FOUND', `there is no stage ${name}`, {
    range,
    hint: `stages count from 0, and there are ${user.index} before this one`,
  });
}

/** The nearest name, or all of them. */
export function stagesHint(name: string, stages: readonly Stage[]): string | undefined {
  const names = stages.flatMap((stage) => stage.name ?? []);
  const near = didYouMean(name, names);
  if (near) return near;
  return names.length > 0 ? `the stages are ${names.map((known) => `"${known}"`).join(', ')}` : 'no stage has a name';
}

/** The stage of that name that was defined last, of those before the place `end`. */
function stageNamed(name: string, stages: readonly Stage[], end = stages.length): Stage | undefined {
  const candidates = namesOf(stages).get(name.toLowerCase()) ?? [];
  let [low, high] = [0, candidates.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((candidates[middle]?.index ?? end) < end) low = middle + 1;
    else high = middle;
  }
  return candidates[low - 1];
}

/** Stages by name, in their order. Kept, as every COPY and every mount asks, and a Dockerfile may have 100,000 of each. */
function namesOf(stages: readonly Stage[]): ReadonlyMap<string, readonly Stage[]> {
  const known = names.get(stages);
  if (known) return known;
  const made = Map.groupBy(
    stages.filter(({ name }) => name !== undefined),
    ({ name }) => name ?? '',
  );
  names.set(stages, made);
  return made;
}

const names = new WeakMap<readonly Stage[], ReadonlyMap<string, readonly Stage[]>>();

const isIndex = (text: string): boolean => /^\d{1,6}$/.test(text);
