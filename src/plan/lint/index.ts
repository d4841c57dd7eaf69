import type { Dockerfile } from '../../../grammar/ast.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import { type CheckConfig, parseCheckConfig } from './config.ts';
import { LineRanges } from './line-ranges.ts';
import { Linter, type LinterOptions } from './linter.ts';

/** A build argument with check options, in place of those of the file. */
const argument = 'BUILDKIT_DOCKERFILE_CHECK';

/** A linter for one build. Throws DOCKERFILE_INVALID for check options that cannot be read. */
export function createLinter(
  { directives: { check = '' } }: Dockerfile,
  { buildArgs = {}, ...options }: Omit<LinterOptions, 'config'> & { readonly buildArgs?: Readonly<Record<string, string>> | undefined },
): Linter {
  const given = Object.hasOwn(buildArgs, argument) ? buildArgs[argument] : undefined;
  const config =
    given === undefined
      ? explained(
          'failed to parse check options',
          () => parseCheckConfig(check.split(' ', 1)[0] ?? ''),
          () => rangeOfDirective(options.source),
        )
      : explained(`failed to parse build-arg:${argument}`, () => parseCheckConfig(given));
  return new Linter({ ...options, config });
}

function explained(what: string, parse: () => CheckConfig, range?: () => ReturnType<typeof rangeOfDirective>): CheckConfig {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    throw new BuildError(error.code, `${what}: ${error.message}`, { range: range?.(), hint: error.hint, cause: error });
  }
}

function rangeOfDirective(source: LinterOptions['source']) {
  const line = source.text.split('\n', 8).findIndex((each) => /^#\s*check\s*=/i.test(each)) + 1;
  return line > 0 ? new LineRanges(source).of({ first: line, last: line }) : undefined;
}
