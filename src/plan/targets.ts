import type { Dockerfile } from '../../grammar/ast.ts';
import { base64, descriptionOf, type JsonLocation, locationOf } from './source-json.ts';

/** The stages of a Dockerfile, in the shape of BuildKit's `frontend.targets`. */
export interface TargetList {
  readonly targets: readonly JsonTarget[];
  readonly sources: readonly string[];
}

export interface JsonTarget {
  readonly name?: string;
  readonly default?: true;
  readonly description?: string;
  /** As written. */
  readonly base?: string;
  readonly platform?: string;
  readonly location: JsonLocation;
}

/** Of a file without errors. */
export function targetsOf({ instructions }: Dockerfile, text: string): TargetList {
  const stages = instructions.filter(({ name }) => name === 'FROM');
  const targets = stages.map(({ args, flags, comments, lines }, index): JsonTarget => {
    const name = args[2]?.toLowerCase() ?? '';
    const description = descriptionOf(name, comments);
    const platform = flags.find((flag) => flag.name === 'platform')?.value;
    return {
      ...(name && { name }),
      ...(index === stages.length - 1 && { default: true }),
      ...(description && { description }),
      ...(args[0] && { base: args[0] }),
      ...(platform && { platform }),
      location: locationOf(lines),
    };
  });
  return { targets, sources: [base64(text)] };
}
