import { excerpt } from '../diagnostics/excerpt.ts';
import { printable } from '../diagnostics/printable.ts';
import type { SourceRange } from '../diagnostics/source-range.ts';

/** What a rule of the linter found. */
export interface Violation {
  readonly rule: string;
  readonly message: string;
  readonly range?: SourceRange;
  readonly url?: string;
}

/**
 * What the rules found, at the end of a build, each once. The line of each begins as `docker build` has it, so that it is found by the
 * same search.
 *
 * ```
 *  1 warning found:
 *  - MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label (line 3)
 *      Dockerfile:3 (https://…)
 *        3 | MAINTAINER me
 *          | ^^^^^^^^^^^^^
 * ```
 */
export function lintSummary(violations: readonly Violation[], color: boolean): string {
  const different = [
    ...new Map(violations.map((each) => [JSON.stringify([each.rule, each.message, each.range?.start.line]), each])).values(),
  ];
  if (different.length === 0) return '';
  const head = different.length === 1 ? '1 warning found' : `${different.length} warnings found`;
  const painted = color ? `\u001b[33m ${head}:\u001b[0m` : ` ${head}:`;
  return `${[painted, ...different.flatMap(linesOf)].join('\n')}\n\n`;
}

function linesOf({ rule, message, range, url }: Violation): readonly string[] {
  const first = ` - ${printable(`${rule}: ${message}`).replaceAll('\n', ' ')}${range ? ` (line ${range.start.line})` : ''}`;
  if (!range) return [first];
  const place = `     ${printable(range.file)}:${range.start.line}${url === undefined ? '' : ` (${url})`}`;
  return [first, place, ...excerpt(range).map((line) => `     ${line}`)];
}
