import type { Dockerfile, Instruction } from '../../grammar/ast.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Spec } from '../graph/spec.ts';
import { vertex } from '../graph/vertex.ts';
import type { Digest } from '../oci/digest.ts';
import { hostPlatform } from '../oci/platform.ts';
import type { BuildScope } from './build-scope.ts';
import { finishedConfig } from './container-config.ts';
import { chooseEpoch, withEnvironmentEpoch } from './epoch.ts';
import { expansionBudget } from './expansion.ts';
import { targetStage } from './find-stage.ts';
import { globalArgs } from './global-args.ts';
import { imagePlatform } from './image-platform.ts';
import { lintBases, lintFroms } from './lint/view.ts';
import { lowerStages } from './lower-stage.ts';
import type { ImageResolver, Plan } from './plan.ts';
import type { PlanOptions } from './plan-options.ts';
import { type Prepared, prepare } from './prepare.ts';
import { proxyEnv } from './proxy-env.ts';
import { verticesOf } from './reachable.ts';
import { sandboxHostname } from './sandbox-hostname.ts';
import type { StageState } from './stage-state.ts';
import { readStages, type Stage, splitSections, stageNameOf } from './stages.ts';
import { unknownFilters, unusedBuildArgs } from './warnings.ts';

/** The file that the AST was read from: `file` for messages, `text` so that they can show its lines. */
export interface DockerfileSource {
  readonly file: string;
  readonly text: string;
}

/**
 * Turns a Dockerfile into the graph of its target, with the image's config and history. Only what the target needs is lowered, and only
 * its base images are resolved. Throws a BuildError with the range of what is wrong.
 */
export async function plan(
  dockerfile: Dockerfile,
  source: DockerfileSource,
  options: PlanOptions,
  resolver: ImageResolver,
  signal: AbortSignal,
): Promise<Plan> {
  const { build, state, states, noCache, warnings } = await lowerDockerfile(dockerfile, source, options, resolver, signal);
  return {
    target: state.vertex,
    vertices: verticesOf(
      state.vertex,
      states.values().map(({ vertex }) => vertex),
    ),
    platform: imagePlatform(state.imagePlatform, options.platform),
    epoch: build.epoch,
    config: finishedConfig(state.config, state.named, options.labels),
    author: state.author,
    baseHistory: state.baseHistory,
    history: state.history,
    warnings,
    noCache,
  };
}

/** A Dockerfile whose stages are lowered: what a plan, and what people ask about it, is made of. */
export interface Lowered extends ReadFile {
  readonly prepared: Prepared;
  readonly target: Stage;
  /** Of the target. */
  readonly state: StageState;
  /** Of every stage that was lowered, in the order of the file. */
  readonly states: ReadonlyMap<Stage, StageState>;
  /** Vertices that run again whatever the cache has. */
  readonly noCache: ReadonlySet<Digest>;
}

/** Lowers the target and the stages that it needs, or all of them. Throws as `plan` does. */
export async function lowerDockerfile(
  dockerfile: Dockerfile,
  source: DockerfileSource,
  options: PlanOptions,
  resolver: ImageResolver,
  signal: AbortSignal,
): Promise<Lowered> {
  const file = readFile(dockerfile, source, options);
  const { stages } = file;
  const { build, warnings } = await chooseEpoch(file.build, stages, options, signal);
  const target = targetStage(stages, options.target);
  const prepared = await prepare(options.allStages ? stages : [target], stages, { build, resolver, signal });
  if (build.linter) lintBases(build.linter, prepared, stages, build);
  const noCache = new Set<Digest>();
  const states = lowerStages(prepared, stages, build, noCache);
  build.linter?.finish();
  const state = states.get(target);
  if (!state) throw new TypeError('the target was not lowered');
  return { ...file, build, warnings: [...file.warnings, ...warnings], prepared, target, state, states, noCache };
}

interface ReadFile {
  readonly build: BuildScope;
  /** The ARGs before the first FROM. */
  readonly globals: readonly Instruction[];
  readonly stages: readonly [Stage, ...Stage[]];
  readonly warnings: Plan['warnings'];
}

function readFile(dockerfile: Dockerfile, { file, text }: DockerfileSource, options: PlanOptions): ReadFile {
  const source = { file, text, escape: dockerfile.escape, budget: expansionBudget() };
  const buildArgs = withEnvironmentEpoch(options);
  const buildPlatform = options.buildPlatform ?? hostPlatform();
  const targetPlatform = options.platform ?? buildPlatform;
  const { globals, sections } = splitSections(dockerfile);
  const last = sections.at(-1);
  const targetName = options.target || (last && stageNameOf(last.from));
  const given = { buildArgs, buildPlatform, targetPlatform, targetStage: targetName };
  const { linter } = options;
  linter?.readFile({ sections, defaults: defaultsOf(globals, given, source), escape: source.escape });
  const values = globalArgs(globals, given, source);
  if (linter) lintFroms(linter, sections, { instructions: globals, values, escape: source.escape });
  const build: BuildScope = {
    ...source,
    buildArgs,
    globalArgs: values,
    proxyEnv: proxyEnv(buildArgs, options.environment),
    network: options.network ?? 'default',
    hostname: sandboxHostname(buildArgs),
    allow: options.allow ?? [],
    grantDevices: options.grantDevices ?? (() => []),
    targetPlatform,
    context: options.mainContext ?? vertex<Spec>({ kind: 'local', name: 'context' }, [], 'build context'),
    contextOrigin: options.contextOrigin,
    namedContexts: options.namedContexts ?? new Map(),
    hosts: options.hosts ?? [],
    noCacheFilter: new Set(options.noCacheFilter?.map((name) => name.toLowerCase())),
    ...(linter && { linter }),
    ...(options.onHistory && { onHistory: options.onHistory }),
  };
  const [first, ...rest] = readStages(sections, values, build);
  if (!first) throw new TypeError('a Dockerfile with a FROM has a stage');
  const stages: [Stage, ...Stage[]] = [first, ...rest];
  const warnings = [
    ...unusedBuildArgs(buildArgs, dockerfile.instructions, values.keys()),
    ...unknownFilters(options.noCacheFilter ?? [], stages),
  ];
  return { build, globals, stages, warnings };
}

/** The global ARGs without any --build-arg but those that take the place of automatic ones; undefined where one cannot be expanded. */
function defaultsOf(...[globals, given, source]: Parameters<typeof globalArgs>): ReadonlyMap<string, string> | undefined {
  try {
    return globalArgs(globals, { ...given, defaultsOnly: true }, { ...source, budget: expansionBudget() });
  } catch (error) {
    if (error instanceof BuildError) return undefined;
    throw error;
  }
}
