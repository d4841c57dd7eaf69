// Answers about a Dockerfile as text, in the layout of buildx 0.36, so that what reads one reads the other.

import type { Check } from '../call.ts';
import { printable } from '../diagnostics/printable.ts';
import type { LintWarning } from '../plan/lint/linter.ts';
import type { Lines } from '../plan/lint/rule.ts';
import type { Outline } from '../plan/outline.ts';
import type { TargetList } from '../plan/targets.ts';

/** What was checked, each violation with its lines, in the order of the file. */
export function checkText({ warnings, source, error }: Check): string {
  if (warnings.length === 0) return error ? '' : 'Check complete, no warnings found.\n';
  const count = warnings.length === 1 ? '1 warning has been found!' : `${warnings.length} warnings have been found!`;
  const lines = source.text.split('\n').map(printable);
  const sorted = warnings.toSorted((one, other) => one.lines.first - other.lines.first);
  return `Check complete, ${count}\n${sorted.map((warning) => warningText(warning, source.file, lines)).join('')}`;
}

function warningText({ rule: { name, url }, message, lines }: LintWarning, file: string, text: readonly string[]): string {
  return `\nWARNING: ${name}${url === undefined ? '' : ` - ${url}`}\n${printable(message)}\n${excerpt(lines, printable(file), text)}`;
}

/** The lines, marked, and some around them. Source: BuildKit, solver/errdefs, `Source.Print`. */
function excerpt({ first, last }: Lines, file: string, text: readonly string[]): string {
  const rule = '--------------------';
  const [start, end] = widened(first, Math.min(last, text.length), text.length);
  const shown = text.slice(start - 1, end).map((line, index) => {
    const number = start + index;
    return ` ${String(number).padStart(3)} | ${number >= first && number <= last ? '>>>' : '   '} ${line}`;
  });
  return `${[`${file}:${first}`, rule, ...shown, rule].join('\n')}\n`;
}

function widened(first: number, last: number, count: number): readonly [number, number] {
  let [start, end] = [first, last];
  for (let added = 0; added < (first === last ? 4 : 2); added++) {
    if (start > 1) {
      start--;
      added++;
    }
    if (end !== count) {
      end++;
      added++;
    }
  }
  return [start, end];
}

export function targetsText({ targets }: TargetList): string {
  const rows = targets.map(({ name = '', description = '', default: isDefault }) => [
    isDefault ? `${name} (default)`.trimStart() : name,
    description,
  ]);
  return columns([['TARGET', 'DESCRIPTION'], ...rows], 1);
}

export function outlineText({ name, description, args = [], secrets = [], ssh = [] }: Outline): string {
  const target = name !== undefined || description !== undefined ? [['TARGET:', name ?? '(default)']] : [];
  if (description !== undefined) target.push(['DESCRIPTION:', description]);
  const wants = (title: string, list: NonNullable<Outline['secrets']>): string[][] =>
    list.length === 0 ? [] : [[title, 'REQUIRED'], ...list.map((each) => [each.name, each.required ? 'true' : ''])];
  const values = args.map((each) => [each.name, each.value ?? '', each.description ?? '']);
  const blocks = [
    columns(target, 1),
    columns(args.length === 0 ? [] : [['BUILD ARG', 'VALUE', 'DESCRIPTION'], ...values], 3),
    columns(wants('SECRET', secrets), 3),
    columns(wants('SSH', ssh), 3),
  ];
  return blocks.map((block) => block && `${block}\n`).join('');
}

/** Cells but the last of a line are filled up. Source: Go, text/tabwriter. */
function columns(rows: readonly (readonly string[])[], gap: number): string {
  const shown = rows.map((cells) => cells.map(printable));
  const widths = (shown[0] ?? []).map((_, column) => Math.max(...shown.map((cells) => [...(cells[column] ?? '')].length)) + gap);
  const fill = (cell: string, column: number, { length }: readonly string[]): string =>
    column === length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - [...cell].length);
  return shown.map((cells) => `${cells.map(fill).join('')}\n`).join('');
}
