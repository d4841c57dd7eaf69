import { BuildError } from './build-error.ts';
import type { Range } from './source-range.ts';

/** What a parser or planner says of a place in the file. The same shape as in `grammar/ast.ts`. */
interface Finding {
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly range: Range;
  readonly hint?: string;
}

/** A Dockerfile with errors: all of them, so that they can be mended in one go. The first stands for the whole. */
export class DockerfileError extends BuildError {
  readonly findings: readonly Finding[];
  readonly source: { readonly file: string; readonly text: string };

  constructor(findings: readonly [Finding, ...Finding[]], source: { readonly file: string; readonly text: string }) {
    const [first] = findings;
    super('DOCKERFILE_INVALID', first.message, { range: { ...first.range, ...source }, hint: first.hint });
    this.findings = findings;
    this.source = source;
  }
}

/** Throws a DockerfileError where one of the findings is an error. */
export function throwOnErrors(findings: readonly Finding[], source: { readonly file: string; readonly text: string }): void {
  const [first, ...rest] = findings.filter(({ severity }) => severity === 'error');
  if (first) throw new DockerfileError([first, ...rest], source);
}
