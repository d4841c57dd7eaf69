import type { Instruction } from '../../grammar/ast.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Spec } from '../graph/spec.ts';
import { type Vertex, vertex } from '../graph/vertex.ts';
import type { Digest } from '../oci/digest.ts';
import type { Platform } from '../oci/platform.ts';
import { type BuildScope, sourceRange } from './build-scope.ts';
import { epochOf } from './epoch.ts';
import { filesRoot } from './files-root.ts';
import { sourceStage } from './find-stage.ts';
import { countedInstructions, lowerings } from './instructions/index.ts';
import { namedContext } from './named-contexts.ts';
import type { ResolvedImage } from './plan.ts';
import type { Prepared } from './prepare.ts';
import { addHistory, imageState, inheritedState, type Numbering, type StageState, scratchState } from './stage-state.ts';
import type { Stage } from './stages.ts';
import type { Step } from './step.ts';
import { numbered } from './step-name.ts';

/** Turns the stages that are needed into vertices, in the order of the file. Those of `--no-cache-filter` are added to `noCache`. */
export function lowerStages(
  prepared: Prepared,
  all: readonly Stage[],
  build: BuildScope,
  noCache: Set<Digest>,
): ReadonlyMap<Stage, StageState> {
  const states = new Map<Stage, StageState>();
  for (const stage of prepared.stages) states.set(stage, lowerStage(stage, { prepared, all, build, states, noCache }));
  return states;
}

interface Surroundings {
  readonly prepared: Prepared;
  readonly all: readonly Stage[];
  readonly build: BuildScope;
  /** The stages that are done: all that this one may name. */
  readonly states: ReadonlyMap<Stage, StageState>;
  readonly noCache: Set<Digest>;
}

function lowerStage(stage: Stage, surroundings: Surroundings): StageState {
  const { prepared, build } = surroundings;
  const triggers = prepared.triggers.get(stage) ?? [];
  const state = startOf(stage, triggers.length, surroundings);
  const isFiltered = build.noCacheFilter.has(stage.name ?? '');
  const source = (name: string): Vertex<Spec> => sourceVertex(name, stage, surroundings);
  const lower = (instruction: Instruction, triggeredBy: Step['triggeredBy']): void => {
    const lowering = lowerings.get(instruction.name);
    const range = sourceRange(build, triggeredBy ?? instruction.range);
    if (!lowering) throw new BuildError('DOCKERFILE_INVALID', `there is no instruction "${instruction.name}"`, { range });
    const { digest } = state.vertex;
    const rows = state.history.length;
    const step = { instruction, state, build, triggeredBy, source };
    build.linter?.readStep(step, stage);
    lowering(step);
    for (const { createdBy } of state.history.slice(rows)) build.onHistory?.(createdBy, range);
    if (isFiltered && state.vertex.digest !== digest) surroundings.noCache.add(state.vertex.digest);
  };
  for (const trigger of triggers) lower(trigger, stage.from.range);
  for (const instruction of stage.instructions) lower(instruction, undefined);
  return state;
}

function startOf(stage: Stage, triggers: number, { prepared, all, build, states }: Surroundings): StageState {
  const { base, from } = stage;
  const numbering = numberingOf(stage, all, triggers);
  // There is nothing that --platform could choose.
  if (base.kind === 'scratch') return scratchState({ platform: build.targetPlatform, numbering });
  if (base.kind === 'stage') {
    const state = states.get(base.stage);
    if (!state) throw new TypeError('a stage was lowered before its base');
    return inheritedState(state, numbering);
  }
  const platform = stage.platform ?? build.targetPlatform;
  if (base.kind === 'files') {
    const root = filesRoot(base.vertex, sourceRange(build, from.range), epochOf(build));
    const state = scratchState({ platform, numbering }, root);
    // Its files are a layer of ours, and each layer has a row. (BuildKit has none, and then as many rows as layers, the last one made up.)
    addHistory(state, `COPY / / # ${base.vertex.name}`, root.digest);
    return state;
  }
  const image = prepared.image(base.reference, platform);
  const origin = sourceRange(build, from.range);
  // Nothing is fetched for an image without layers.
  const root: Vertex<Spec> =
    image.layers.length === 0
      ? vertex({ kind: 'scratch' }, [], 'FROM scratch')
      : vertex(imageSpec(image), [], numbered(numbering, imageName(image)), origin);
  return imageState(root, image, { platform: platformOf(image, platform), numbering });
}

/** What was asked for, unless the image has another one only. */
function platformOf({ config: { os, architecture, variant } }: ResolvedImage, asked: Platform): Platform {
  if (!os || !architecture || (os === asked.os && architecture === asked.architecture)) return asked;
  return variant ? { os, architecture, variant } : { os, architecture };
}

/** Source: BuildKit, `buildDispatchStates`: a base image counts, scratch and stages do not; each trigger counts. */
function numberingOf({ index, name, base, instructions }: Stage, all: readonly Stage[], triggers: number): Numbering {
  const counted = instructions.filter((instruction) => countedInstructions.includes(instruction.name)).length;
  const stageName = all.length === 1 ? '' : (name ?? `stage-${index}`);
  return { stageName, total: counted + triggers + (base.kind === 'image' ? 1 : 0), current: 0 };
}

function sourceVertex(name: string, user: Stage, { prepared, all, build, states }: Surroundings): Vertex<Spec> {
  const stage = sourceStage(name, all, user, sourceRange(build, user.from.range));
  const state = stage && states.get(stage);
  if (state) return state.vertex;
  if (name === 'scratch') return vertex<Spec>({ kind: 'scratch' }, [], 'FROM scratch');
  const context = namedContext(name, build.namedContexts, build.targetPlatform);
  if (context?.kind === 'scratch') return vertex<Spec>({ kind: 'scratch' }, [], 'FROM scratch');
  if (context?.kind === 'files') return context.vertex;
  const image = prepared.image(context?.reference ?? name, build.targetPlatform);
  return vertex(imageSpec(image), [], imageName(image));
}

const imageSpec = ({ reference, digest, layers }: ResolvedImage): Spec => ({
  kind: 'image',
  reference,
  digest,
  layers: layers.map(({ descriptor, diffID }) => ({ descriptor, diffID })),
});

const imageName = ({ reference, digest }: ResolvedImage): string =>
  `FROM ${reference.includes('@') ? reference : `${reference}@${digest}`}`;
