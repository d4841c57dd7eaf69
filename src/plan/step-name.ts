import { expandForDisplay } from './expansion.ts';
import type { Numbering } from './stage-state.ts';
import type { Step } from './step.ts';

/** `[build 2/5] RUN make`: what progress shows for a step, and counts it. Source: BuildKit, `prefixCommand`. */
export function stepName(step: Step, note = ''): string {
  const { instruction, state, build, triggeredBy } = step;
  const [firstLine = ''] = instruction.text.split('\n', 1);
  const arguments_ = firstLine.slice(instruction.name.length);
  // What a RUN hands to its shell keeps its quotes.
  const quotes = instruction.name === 'RUN' ? 'keep' : 'remove';
  const line = `${instruction.name}${expandForDisplay(arguments_, state.scope, build.escape, quotes)}${note}`;
  return numbered(state.numbering, triggeredBy ? `ONBUILD ${line}` : line);
}

/** The name of a FROM's own vertex: the first step of its stage. */
export function numbered(numbering: Numbering, line: string): string {
  numbering.current += 1;
  const { stageName, total, current } = numbering;
  return `[${stageName && `${stageName} `}${String(current).padStart(String(total).length)}/${total}] ${line}`;
}

/** The first line of a heredoc, for the end of a name. */
export function summaryOf(body: string): string {
  const lines = body.trim().split(/\r?\n/);
  return ` (${lines[0] ?? ''}${lines.length > 1 ? '...' : ''})`;
}
