import { BuildError } from '../../src/diagnostics/build-error.ts';
import type { ErrorCode } from '../../src/diagnostics/codes.ts';

/** For `assert.throws` and `assert.rejects`: a BuildError with this code, a message that matches, and words that tell what to do. */
export const withCode =
  (code: ErrorCode, message = /./) =>
  (error: unknown): boolean => {
    if (error instanceof BuildError && error.code === code && message.test(error.message)) return true;
    throw error;
  };
