import type { Dockerfile } from '../grammar/ast.ts';
import { parseDockerfile } from '../grammar/parse.ts';
import type { BuildOptions } from './build-options.ts';
import type { DockerfileSource } from './context/dockerfile.ts';
import { BuildError } from './diagnostics/build-error.ts';
import { throwOnErrors } from './diagnostics/dockerfile-error.ts';
import { LenientBases } from './lenient-bases.ts';
import { layoutsOf, openContext, openNamedContexts } from './open-contexts.ts';
import { type Lowered, lowerDockerfile } from './plan/index.ts';
import { createLinter } from './plan/lint/index.ts';
import { type LintResult, lintResult } from './plan/lint/lint-result.ts';
import type { Linter, LintWarning } from './plan/lint/linter.ts';
import { type Outline, outlineOf } from './plan/outline.ts';
import type { PlanOptions } from './plan/plan-options.ts';
import { type TargetList, targetsOf } from './plan/targets.ts';
import { Workbench } from './workbench.ts';

// What can be asked about a Dockerfile without building it. Nothing is run; base images are looked at where they can be reached.

/** Tells of a base image that could not be looked at, and why. */
export type OnMissedBase = (reference: string, error: BuildError) => void;

/** What `--check` found: as JSON, as warnings that know their rule, and the error that a build would end with. */
export interface Check {
  readonly result: LintResult;
  readonly warnings: readonly LintWarning[];
  readonly source: DockerfileSource;
  readonly error: BuildError | undefined;
}

/** Lints every stage; with a target that stage and those that it needs. */
export async function checkDockerfile(options: BuildOptions, onMissedBase: OnMissedBase, signal: AbortSignal): Promise<Check> {
  await using bench = new Workbench(options, signal);
  const opened = await openContext(options, bench, signal);
  const { source } = opened;
  const dockerfile = parseDockerfile(source.text);
  const warnings: LintWarning[] = [];
  const ignored = opened.ignored.get('context')?.rules;
  const read = async () => {
    const linter = createLinter(dockerfile, {
      source,
      buildArgs: options.buildArgs,
      ignored,
      warn: (warning) => void warnings.push(warning),
    });
    linter.readText(dockerfile);
    throwOnErrors(dockerfile.diagnostics, source);
    await lower(dockerfile, { options, opened, onMissedBase, more: { linter, allStages: options.target === undefined } }, signal);
  };
  const error = await read().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (signal.aborted || (error !== undefined && !(error instanceof BuildError))) throw error;
  return { result: lintResult(source, warnings, error), warnings, source, error };
}

/** The arguments, secrets and ssh sockets that the target takes. */
export async function outlineDockerfile(options: BuildOptions, onMissedBase: OnMissedBase, signal: AbortSignal): Promise<Outline> {
  await using bench = new Workbench(options, signal);
  const opened = await openContext(options, bench, signal);
  const dockerfile = parseDockerfile(opened.source.text);
  throwOnErrors(dockerfile.diagnostics, opened.source);
  return outlineOf(await lower(dockerfile, { options, opened, onMissedBase, more: {} }, signal), opened.source.text);
}

/** The stages that can be built. */
export async function listTargets(options: BuildOptions, signal: AbortSignal): Promise<TargetList> {
  await using bench = new Workbench(options, signal);
  const { source } = await openContext(options, bench, signal);
  const dockerfile = parseDockerfile(source.text);
  throwOnErrors(dockerfile.diagnostics, source);
  return targetsOf(dockerfile, source.text);
}

interface Question {
  readonly options: BuildOptions;
  readonly opened: Awaited<ReturnType<typeof openContext>>;
  readonly onMissedBase: OnMissedBase;
  readonly more: PlanOptions & { readonly linter?: Linter };
}

async function lower(dockerfile: Dockerfile, { options, opened, onMissedBase, more }: Question, signal: AbortSignal): Promise<Lowered> {
  const { source, vertex: mainContext } = opened;
  const namedContexts = await openNamedContexts(options.contexts ?? {}, {
    directories: new Map(opened.directories),
    ignored: new Map(opened.ignored),
  });
  await using bases = new LenientBases({ ...options, layouts: layoutsOf(namedContexts) }, (reference, error) => {
    more.linter?.missBase(reference);
    onMissedBase(reference, error);
  });
  const planOptions = { ...options, hosts: options.addHosts ?? [], mainContext, namedContexts, ...more };
  return await lowerDockerfile(dockerfile, source, planOptions, bases, signal);
}
