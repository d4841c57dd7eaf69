import { stripVTControlCharacters } from 'node:util';
import type { BuildError } from './build-error.ts';
import { DockerfileError } from './dockerfile-error.ts';
import { excerpt } from './excerpt.ts';
import { printable } from './printable.ts';
import type { Range, SourceRange } from './source-range.ts';

export interface RenderOptions {
  /** Escape sequences for colour; off unless a terminal is known to be there. */
  readonly color?: boolean;
}

/** What the parser and the linter say of a place in a file. `grammar/ast.ts` has the same. */
export interface Diagnostic {
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly range: Range;
  readonly hint?: string;
}

/** Anything that is shown to a person: an error, a warning. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly code?: string | undefined;
  readonly message: string;
  readonly range?: SourceRange | undefined;
  readonly hint?: string | undefined;
  readonly notes?: readonly string[] | undefined;
}

/** An error as text that ends with a line break: place, message and code, the source line, the hint, the notes. Of a Dockerfile, all errors. */
export function renderError(error: BuildError, options: RenderOptions = {}): string {
  if (error instanceof DockerfileError) return renderDiagnostics(error.findings, error.source, options);
  return renderFinding({ ...detailsOf(error), severity: 'error' }, options);
}

/** A file that is no Dockerfile at all may have an error in each of a million lines. */
const mostShown = 50;

/** Diagnostics of one file, in the order they are given, with an empty line between them; of very many, the first. */
export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  source: { readonly file: string; readonly text: string },
  options: RenderOptions = {},
): string {
  const findings = diagnostics.slice(0, mostShown).map((diagnostic) => ({ ...diagnostic, range: { ...diagnostic.range, ...source } }));
  const left = diagnostics.length - findings.length;
  const texts = findings.map((finding) => renderFinding(finding, options));
  return [...texts, ...(left > 0 ? [`and ${left} more\n`] : [])].join('\n');
}

/** One finding as text that ends with a line break. Control characters in it are made visible. */
export function renderFinding(finding: Finding, { color = false }: RenderOptions = {}): string {
  const paint = color ? paints[finding.severity] : plain;
  const { range, hint } = finding;
  const lines = [
    head(finding, paint),
    ...(range ? excerpt(range, paint) : []),
    ...(hint === undefined ? [] : [`  hint: ${continued(hint, '        ')}`]),
    ...(finding.notes ?? []).map((note) => `  | ${continued(stripVTControlCharacters(note), '  | ')}`.trimEnd()),
  ];
  return `${lines.join('\n')}\n`;
}

function head({ severity, code, message, range }: Finding, paint: Paint): string {
  const place = range ? `${printable(range.file)}:${range.start.line}:${range.start.column}: ` : '';
  return `${place}${paint(`${severity}:`)} ${continued(message, '  ')}${code === undefined ? '' : ` [${code}]`}`;
}

/** Lines of a text after its first one are set in, so that no value can pass for a message of ours. */
const continued = (text: string, indent: string): string => printable(text.trimEnd()).replaceAll('\n', `\n${indent}`);

type Paint = (text: string) => string;
const plain: Paint = (text) => text;
const paints: Record<Finding['severity'], Paint> = {
  error: (text) => `\u001b[1;31m${text}\u001b[0m`,
  warning: (text) => `\u001b[1;33m${text}\u001b[0m`,
};

/** An error's own fields: `message` of an Error is not enumerable. */
function detailsOf({ code, message, range, hint, notes }: BuildError): Omit<Finding, 'severity'> {
  return { code, message, range, hint, notes };
}
