import type { BuildOptions } from './build-options.ts';
import { headTime } from './context/head-time.ts';
import { BuildError } from './diagnostics/build-error.ts';
import type { Spec } from './graph/spec.ts';

/** `--reproducible`: a SOURCE_DATE_EPOCH that is the time of the context's commit, unless the caller has one. */
export async function withCommitTime(
  options: BuildOptions,
  context: { readonly spec: Spec; readonly directory: string | undefined },
  signal: AbortSignal,
): Promise<BuildOptions> {
  const { reproducible, buildArgs = {}, environment = {} } = options;
  if (!reproducible || Object.hasOwn(buildArgs, 'SOURCE_DATE_EPOCH') || environment.SOURCE_DATE_EPOCH !== undefined) return options;
  return { ...options, buildArgs: { ...buildArgs, SOURCE_DATE_EPOCH: await timeOf(context, environment, signal) } };
}

async function timeOf(
  { spec, directory }: { readonly spec: Spec; readonly directory: string | undefined },
  environment: NonNullable<BuildOptions['environment']>,
  signal: AbortSignal,
): Promise<string> {
  // What is fetched has its time from where it was fetched.
  if (spec.kind === 'git') return 'context';
  if (directory !== undefined) return String(await headTime(directory, environment, signal));
  throw new BuildError('ARG_INVALID', '"--reproducible" takes the time of a git commit, and this build context has none', {
    hint: 'set SOURCE_DATE_EPOCH to a number of seconds since 1970',
  });
}
