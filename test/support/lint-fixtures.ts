import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDockerfile } from '../../grammar/parse.ts';
import { parseIgnoreFile } from '../../src/context/ignore-file.ts';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import { throwOnErrors } from '../../src/diagnostics/dockerfile-error.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { ImageConfig } from '../../src/oci/image-config.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { type Lowered, lowerDockerfile } from '../../src/plan/index.ts';
import { createLinter } from '../../src/plan/lint/index.ts';
import type { LintWarning } from '../../src/plan/lint/linter.ts';
import type { ImageResolver } from '../../src/plan/plan.ts';

const fixtures = join(import.meta.dirname, '../../fixtures');

/** A case of fixtures/lint, outline or targets. What is expected was recorded from BuildKit 0.32.2, its own subrequests. */
export interface LintCase<Expected> extends LintInput {
  readonly name: string;
  readonly expected: Expected;
}

export interface LintInput {
  readonly text: string;
  readonly target?: string;
  readonly platform?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** The configs of base images. */
  readonly images?: Readonly<Record<string, ImageConfig>>;
  /** The ignore file. */
  readonly ignore?: string;
  /** What BuildKit prints of the warnings. */
  readonly checkText?: string;
}

export function lintCases<Expected>(folder: 'lint' | 'outline' | 'targets'): LintCase<Expected>[] {
  return readdirSync(join(fixtures, folder)).map((name) => {
    const read = (file: string): string => readFileSync(join(fixtures, folder, name, file), 'utf8');
    const has = (file: string): boolean => existsSync(join(fixtures, folder, name, file));
    return {
      name,
      text: read('Dockerfile'),
      ...(has('options.json') && JSON.parse(read('options.json'))),
      ...(has('.dockerignore') && { ignore: read('.dockerignore') }),
      ...(has('check.txt') && { checkText: read('check.txt') }),
      expected: JSON.parse(read('expected.json')),
    };
  });
}

/** What the rules find, all stages looked at unless there is a target, and the error that ended it. */
export async function lint(input: LintInput): Promise<{ warnings: LintWarning[]; error: BuildError | undefined }> {
  const { text, buildArgs, ignore } = input;
  const source = { file: 'Dockerfile', text };
  const dockerfile = parseDockerfile(text);
  const warnings: LintWarning[] = [];
  try {
    const ignored = ignore === undefined ? undefined : parseIgnoreFile(ignore);
    const linter = createLinter(dockerfile, { source, buildArgs, ignored, warn: (warning) => void warnings.push(warning) });
    linter.readText(dockerfile);
    throwOnErrors(dockerfile.diagnostics, source);
    await lower(input, { linter, allStages: input.target === undefined });
    return { warnings, error: undefined };
  } catch (error) {
    if (error instanceof BuildError) return { warnings, error };
    throw error;
  }
}

/** Lowers without a store or a registry: the images are those of the case. */
export function lower(
  { text, target, platform, buildArgs = {}, images = {} }: LintInput,
  more: Partial<Parameters<typeof lowerDockerfile>[2]> = {},
): Promise<Lowered> {
  const resolver: ImageResolver = {
    async resolve(reference) {
      const config = images[reference];
      if (!config) throw new BuildError('BASE_NOT_FOUND', `there is no image "${reference}"`);
      return { reference, digest: `sha256:${'1'.repeat(64)}` as Digest, config, layers: [] };
    },
  };
  const options = {
    buildPlatform: { os: 'linux', architecture: 'amd64' },
    buildArgs,
    ...(target !== undefined && { target }),
    ...(platform !== undefined && { platform: parsePlatform(platform) }),
    ...more,
  };
  const source = { file: 'Dockerfile', text };
  return lowerDockerfile(parseDockerfile(text), source, options, resolver, new AbortController().signal);
}
