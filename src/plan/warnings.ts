import type { Instruction } from '../../grammar/ast.ts';
import { splitKeyValue } from '../../grammar/key-values.ts';
import type { PlanWarning } from './plan.ts';
import { isProxyVariable } from './proxy-env.ts';

/** Build arguments that mean something without any ARG. */
const meaningful: readonly string[] = ['BUILDKIT_CACHE_MOUNT_NS', 'BUILDKIT_SYNTAX'];

/** Build arguments that nothing takes: a slip of the pen, most often. */
export function unusedBuildArgs(
  buildArgs: ReadonlyMap<string, string>,
  instructions: readonly Instruction[],
  automatic: Iterable<string>,
): readonly PlanWarning[] {
  const declared = new Set([...automatic, ...meaningful, ...instructions.flatMap(declaredNames)]);
  return [...buildArgs.keys()]
    .filter((name) => !declared.has(name) && !isProxyVariable(name))
    .map((name) => ({ code: 'BuildArgUnused', message: `no ARG takes the build argument "${name}"` }));
}

function declaredNames({ name, args, trigger }: Instruction): readonly string[] {
  if (trigger) return declaredNames(trigger);
  return name === 'ARG' ? args.map((word) => splitKeyValue(word)?.name ?? word) : [];
}
