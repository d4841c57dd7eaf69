import type { Instruction } from '../../grammar/ast.ts';
import { splitKeyValue } from '../../grammar/key-values.ts';
import type { PlanWarning } from './plan.ts';
import { isProxyVariable } from './proxy-env.ts';
import type { Stage } from './stages.ts';
import { didYouMean } from './suggestion.ts';

/** Build arguments that mean something without any ARG. */
const meaningful: readonly string[] = [
  'BUILDKIT_BUILD_NAME',
  'BUILDKIT_CACHE_MOUNT_NS',
  'BUILDKIT_CONTEXT_KEEP_GIT_DIR',
  'BUILDKIT_DOCKERFILE_CHECK',
  'BUILDKIT_INLINE_CACHE',
  'BUILDKIT_MULTI_PLATFORM',
  'BUILDKIT_SANDBOX_HOSTNAME',
  'BUILDKIT_SBOM_SCAN_CONTEXT',
  'BUILDKIT_SBOM_SCAN_STAGE',
  'BUILDKIT_SYNTAX',
  'SOURCE_DATE_EPOCH',
];

/** Build arguments that nothing takes: a slip of the pen, most often. */
export function unusedBuildArgs(
  buildArgs: ReadonlyMap<string, string>,
  instructions: readonly Instruction[],
  automatic: Iterable<string>,
): readonly PlanWarning[] {
  const declared = new Set([...automatic, ...meaningful, ...instructions.flatMap(declaredNames)]);
  return [...buildArgs.keys()]
    .filter((name) => !declared.has(name) && !isProxyVariable(name))
    .map((name) => {
      const near = didYouMean(name, [...declared]);
      return { code: 'BuildArgUnused', message: `no ARG takes the build argument "${name}"${near ? `: ${near}` : ''}` };
    });
}

/** Stages named by `--no-cache-filter` that there are none of. */
export function unknownFilters(filter: readonly string[], stages: readonly Stage[]): readonly PlanWarning[] {
  const names = stages.flatMap(({ name }) => name ?? []);
  return filter
    .filter((name) => !names.includes(name.toLowerCase()))
    .map((name) => {
      const near = didYouMean(name, names);
      return { code: 'NoCacheFilterUnused', message: `no stage is named "${name}", as --no-cache-filter has it${near ? `: ${near}` : ''}` };
    });
}

function declaredNames({ name, args, trigger }: Instruction): readonly string[] {
  if (trigger) return declaredNames(trigger);
  return name === 'ARG' ? args.map((word) => splitKeyValue(word)?.name ?? word) : [];
}
