import { BuildError } from '../diagnostics/build-error.ts';
import type { GitSpec, HttpSpec, Spec } from '../graph/spec.ts';
import type { BuildScope } from './build-scope.ts';
import { epochStageSource } from './epoch-stage.ts';
import { namedContext } from './named-contexts.ts';
import type { PlanWarning } from './plan.ts';
import type { PlanOptions } from './plan-options.ts';
import type { Stage } from './stages.ts';
import { didYouMean } from './suggestion.ts';

const variable = 'SOURCE_DATE_EPOCH';

/** What the years 0 to 9999 have, which is what a time in a config can say. */
const [earliest, latest] = [-62_167_219_200, 253_402_300_799];

/** The field of a spec, if the build has an epoch. */
export const epochOf = ({ epoch }: Pick<BuildScope, 'epoch'>): { readonly epoch?: number } => (epoch === undefined ? {} : { epoch });

/** The build arguments; the caller's SOURCE_DATE_EPOCH is one, where it is not given as one. Source: buildctl, `ParseOpt`. */
export function withEnvironmentEpoch({ buildArgs = {}, environment = {} }: PlanOptions): Map<string, string> {
  const all = new Map(Object.entries(buildArgs));
  const own = environment[variable];
  if (own !== undefined && !all.has(variable)) all.set(variable, own);
  return all;
}

/**
 * Reads SOURCE_DATE_EPOCH, a build argument or an ARG before the first FROM: a number of seconds, or the name of something that is fetched
 * and has a time of its own. An ARG of that name has the seconds then, or no value where there are none.
 * Source: BuildKit, dockerfile2llb/epoch.go.
 */
export async function chooseEpoch(
  build: BuildScope,
  stages: readonly Stage[],
  options: PlanOptions,
  signal: AbortSignal,
): Promise<{ readonly build: BuildScope; readonly warnings: readonly PlanWarning[] }> {
  const text = build.buildArgs.get(variable) ?? (build.globalArgs.get(variable) || undefined);
  if (text === undefined) return { build, warnings: [] };
  const epoch = text === '' ? undefined : await readEpoch(text, build, stages, options, signal);
  const replaced = (args: ReadonlyMap<string, string>): Map<string, string> => {
    const others = new Map(args);
    if (epoch === undefined) others.delete(variable);
    else if (args.has(variable)) others.set(variable, String(epoch));
    return others;
  };
  const { epoch: _none, ...rest } = build;
  const chosen = { ...rest, ...epochOf({ ...rest, ...(epoch !== undefined && { epoch }) }) };
  return {
    build: { ...chosen, buildArgs: replaced(build.buildArgs), globalArgs: replaced(build.globalArgs) },
    warnings: text === '' || epoch !== undefined ? [] : [{ code: 'SourceDateEpochUnknown', message: unknownTime(text) }],
  };
}

async function readEpoch(
  text: string,
  build: BuildScope,
  stages: readonly Stage[],
  options: PlanOptions,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (/^[-+]?\d+$/.test(text)) return inRange(text);
  const source = sourceOf(text, build, stages);
  return source && (await options.sourceTime?.(source, signal));
}

function inRange(text: string): number {
  const seconds = Number(text);
  // No negative zero.
  if (seconds >= earliest && seconds <= latest) return seconds + 0;
  throw new BuildError('ARG_INVALID', `${variable} "${text}" is beyond the years that a time can have`, {
    hint: 'it counts seconds since 1970, as "date +%s" prints them',
  });
}

/** What has the time: the context, a named one, or the one file or repository that a stage adds; undefined where that is not fetched. */
function sourceOf(name: string, build: BuildScope, stages: readonly Stage[]): HttpSpec | GitSpec | undefined {
  if (name === 'context') return build.contextOrigin ?? fetched(build.context.spec);
  const context = namedContext(name, build.namedContexts, build.targetPlatform);
  if (context) return context.kind === 'files' ? fetched(context.vertex.spec) : undefined;
  const stage = stages.find((candidate) => candidate.name === name.toLowerCase());
  if (stage) return epochStageSource(stage, build);
  const names = ['context', ...stages.flatMap((candidate) => candidate.name ?? [])];
  throw new BuildError('ARG_INVALID', `${variable} "${name}" is no number of seconds, and no context or stage`, {
    hint: didYouMean(name, names) ?? 'it is written 1700000000, "context", or the name of a stage FROM scratch with one remote ADD',
  });
}

const fetched = (spec: Spec): HttpSpec | GitSpec | undefined => (spec.kind === 'http' || spec.kind === 'git' ? spec : undefined);

const unknownTime = (name: string): string =>
  `"${name}" has no time that ${variable} could be (a git commit's, or that of a file from the web): the image has the times of this build`;
