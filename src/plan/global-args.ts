import type { Instruction } from '../../grammar/ast.ts';
import { splitKeyValue } from '../../grammar/key-values.ts';
import { formatPlatform, type Platform } from '../oci/platform.ts';
import { type FileScope, sourceRange } from './build-scope.ts';
import { expandText } from './expansion.ts';

interface Given {
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly buildPlatform: Platform;
  readonly targetPlatform: Platform;
  /** The name of the target stage, if it has one. */
  readonly targetStage: string | undefined;
  /** Build arguments count for the automatic ones only. */
  readonly defaultsOnly?: boolean;
}

/**
 * The values of the ARGs before the first FROM, and of the automatic ones. Each sees those before it; --build-arg wins over a default,
 * which is not expanded then. They exist in FROM lines, and in a stage after a bare ARG.
 */
export function globalArgs(instructions: readonly Instruction[], given: Given, source: FileScope): Map<string, string> {
  const scope = automaticArgs(given);
  for (const { args, argRanges, range } of instructions) {
    for (const [index, word] of args.entries()) {
      const { name, value } = splitKeyValue(word) ?? { name: word, value: undefined };
      const place = { ...source, range: sourceRange(source, argRanges[index] ?? range) };
      const result =
        (given.defaultsOnly ? undefined : given.buildArgs.get(name)) ?? (value === undefined ? undefined : expandText(value, scope, place));
      if (result !== undefined) scope.set(name, result);
    }
  }
  return scope;
}

/** Source: BuildKit, `defaultArgs`; docs of Dockerfile, "Automatic platform ARGs in the global scope". */
function automaticArgs({ buildArgs, buildPlatform, targetPlatform, targetStage }: Given): Map<string, string> {
  const values = [
    ...platformArgs('BUILD', buildPlatform),
    ...platformArgs('TARGET', targetPlatform),
    ['TARGETSTAGE', targetStage ?? 'default'] as const,
  ];
  return new Map(values.map(([name, value]) => [name, buildArgs.get(name) ?? value]));
}

const platformArgs = (prefix: string, platform: Platform): (readonly [string, string])[] => [
  [`${prefix}PLATFORM`, prefix === 'TARGET' ? withVersion(platform) : formatPlatform(platform)],
  [`${prefix}OS`, platform.os],
  [`${prefix}OSVERSION`, platform['os.version'] ?? ''],
  [`${prefix}ARCH`, platform.architecture],
  [`${prefix}VARIANT`, platform.variant ?? ''],
];

/** `windows(10.0.17763)/amd64`. Source: containerd/platforms, `FormatAll`. */
function withVersion({ os, 'os.version': version, ...rest }: Platform): string {
  return formatPlatform({ ...rest, os: version ? `${os}(${version})` : os });
}
