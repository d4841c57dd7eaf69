import { printable } from '../diagnostics/printable.ts';
import { renderFinding } from '../diagnostics/render.ts';
import type { BuildEvent } from './events.ts';
import { lintSummary, type Violation } from './lint-summary.ts';
import { OutputLines } from './output-lines.ts';
import { formatAge, formatBytes } from './units.ts';

/** Between two lines about how far the same thing is, in milliseconds of the events' own time. */
const progressIntervalMs = 1000;

/** A vertex or a task on its way. */
interface Step {
  readonly number: number;
  readonly startedMs: number;
  readonly streams: { readonly stdout: OutputLines; readonly stderr: OutputLines };
  /** When something was last said of how far it is. */
  progressMs: number;
}

type Of<Type extends BuildEvent['type']> = Extract<BuildEvent, { type: Type }>;

/**
 * Lines for logs and for people without a terminal, in BuildKit's plain style. Each line begins with the number of its step, so that the
 * output of steps that run at the same time can be told apart; it is shown as it comes, in whole lines.
 *
 * ```
 * #5 [build 2/5] RUN make
 * #5 0.123 cc -c main.c
 * #5 DONE 1.2s
 * ```
 */
export function plainRenderer({ color = false }: { readonly color?: boolean } = {}): (event: BuildEvent) => string {
  const drawing = new PlainDrawing(color);
  return (event) => drawing.draw(event);
}

class PlainDrawing {
  readonly #color: boolean;
  readonly #names = new Map<string, string>();
  /** Steps that have begun and not ended, by vertex digest or task id. */
  readonly #open = new Map<string, Step>();
  readonly #violations: Violation[] = [];
  #steps = 0;

  constructor(color: boolean) {
    this.#color = color;
  }

  draw(event: BuildEvent): string {
    switch (event.type) {
      case 'build.started':
        return '';
      case 'plan':
        for (const { vertex, name } of event.vertices) this.#names.set(vertex, name);
        return '';
      case 'vertex.started':
        return this.#begin(event.vertex, event.time, event.name).text;
      case 'task.started':
        return this.#begin(`task ${event.id}`, event.time, event.name).text;
      case 'vertex.output':
        return this.#output(event);
      case 'vertex.progress':
        return this.#progress(event.vertex, event, `${printable(event.what)} `);
      case 'task.progress':
        return this.#progress(`task ${event.id}`, event, '');
      case 'vertex.completed':
        return this.#end(event.vertex, event.time, (age) => (event.cached ? 'CACHED' : `DONE ${age}s`));
      case 'task.completed':
        return this.#end(`task ${event.id}`, event.time, (age) => `DONE ${age}s`);
      case 'vertex.failed':
        return this.#end(event.vertex, event.time, () => `ERROR: ${oneLine(event.message)}`);
      case 'task.failed':
        return this.#end(`task ${event.id}`, event.time, () => `ERROR: ${oneLine(event.message)}`);
      case 'warning':
        return this.#warning(event);
      case 'build.completed':
        return this.#endAll(event.time) + result(event) + lintSummary(this.#violations, this.#color);
      case 'build.failed':
        // The error itself is shown by the one who called for the build: it has the source line and the hint.
        return this.#endAll(event.time) + lintSummary(this.#violations, this.#color);
    }
  }

  /** A step is named on a line of its own once, when it is first heard of: a cached one may never have started. */
  #begin(id: string, time: number, name = this.#names.get(id) ?? id): { step: Step; text: string } {
    const known = this.#open.get(id);
    if (known) return { step: known, text: '' };
    const streams = { stdout: new OutputLines(), stderr: new OutputLines() };
    const step = { number: ++this.#steps, startedMs: time, streams, progressMs: Number.NEGATIVE_INFINITY };
    this.#open.set(id, step);
    return { step, text: `#${step.number} ${oneLine(name)}\n` };
  }

  /** What rules find is kept for the end, where it is not drowned by the output of the steps. */
  #warning(event: Of<'warning'>): string {
    if (event.rule === undefined) return `${renderFinding({ ...event, severity: 'warning' }, { color: this.#color })}\n`;
    this.#violations.push({ ...event, rule: event.rule });
    return '';
  }

  #output({ vertex, time, stream, text }: Of<'vertex.output'>): string {
    const { step, text: head } = this.#begin(vertex, time);
    return head + lines(step, time, step.streams[stream].push(text));
  }

  #progress(id: string, { time, current, total }: Of<'vertex.progress' | 'task.progress'>, what: string): string {
    const { step, text: head } = this.#begin(id, time);
    const done = current === total;
    if (!done && time - step.progressMs < progressIntervalMs) return head;
    step.progressMs = time;
    const amount = total === undefined ? formatBytes(current) : `${formatBytes(current)} / ${formatBytes(total)}`;
    return `${head}#${step.number} ${what}${amount}${done ? ' done' : ''}\n`;
  }

  #end(id: string, time: number, verdict: (age: string) => string): string {
    const { step, text: head } = this.#begin(id, time);
    this.#open.delete(id);
    const rest = [...step.streams.stdout.end(), ...step.streams.stderr.end()];
    const age = (Math.max(time - step.startedMs, 0) / 1000).toFixed(1);
    return `${head}${lines(step, time, rest)}#${step.number} ${verdict(age)}\n\n`;
  }

  /** Whatever is on its way when the build ends was given up. */
  #endAll(time: number): string {
    return [...this.#open.keys()].map((id) => this.#end(id, time, () => 'CANCELED')).join('');
  }
}

const lines = (step: Step, time: number, output: readonly string[]): string =>
  output
    .map((line) => `#${step.number} ${formatAge(time - step.startedMs)} ${line}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('');

const oneLine = (text: string): string => printable(text.trim()).replace(/\s*\n\s*/g, ' ');

function result({ digest, tags }: Of<'build.completed'>): string {
  if (digest === undefined) return '';
  return `built ${digest}\n${tags.map((tag) => `named ${printable(tag)}\n`).join('')}`;
}
