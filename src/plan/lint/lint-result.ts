import type { BuildError } from '../../diagnostics/build-error.ts';
import { base64, type JsonLocation, locationOf } from '../source-json.ts';
import type { LintWarning } from './linter.ts';

/** What `--check` finds, in the shape of BuildKit's `frontend.lint`. */
export interface LintResult {
  /** Null where there are none, as Go writes it. */
  readonly warnings: readonly JsonWarning[] | null;
  readonly sources: readonly { readonly filename: string; readonly data: string; readonly language: 'Dockerfile' }[];
  /** Why the file cannot be built. */
  readonly buildError?: { readonly message: string; readonly location: JsonLocation };
}

export interface JsonWarning {
  readonly ruleName: string;
  readonly description: string;
  readonly url?: string;
  readonly detail: string;
  readonly location: JsonLocation;
}

export function lintResult(
  { file, text }: { readonly file: string; readonly text: string },
  warnings: readonly LintWarning[],
  error: BuildError | undefined,
): LintResult {
  const range = error?.range?.text === text ? error.range : undefined;
  const location = range ? locationOf({ first: range.start.line, last: range.end.line }) : {};
  return {
    warnings: warnings.length === 0 ? null : warnings.map(warningToJson),
    sources: [{ filename: file, data: base64(text), language: 'Dockerfile' }],
    ...(error && { buildError: { message: error.message, location } }),
  };
}

function warningToJson({ rule: { name, description, url }, message, lines }: LintWarning): JsonWarning {
  return { ruleName: name, description, ...(url && { url }), detail: message, location: locationOf(lines) };
}
