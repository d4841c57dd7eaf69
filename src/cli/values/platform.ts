import { BuildError } from '../../diagnostics/build-error.ts';
import { type Platform, parsePlatform } from '../../oci/platform.ts';

/** Reads `--platform` with one platform. Throws UNSUPPORTED for several, ARG_INVALID for what is none. */
export function parsePlatformOption(text: string): Platform {
  if (text.includes(',')) {
    throw new BuildError('UNSUPPORTED', `"--platform ${text}": several platforms in one build are not there yet`, {
      hint: 'build each with a tag of its own',
    });
  }
  try {
    return parsePlatform(text);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    throw new BuildError('ARG_INVALID', error.message, { hint: error.hint, cause: error });
  }
}
