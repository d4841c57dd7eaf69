import { constants } from 'node:os';
import { BuildError } from '../diagnostics/build-error.ts';
import type { ExecSpec, Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import type { SandboxLimits, SandboxResult } from '../worker/protocol.ts';

/** The longest piece of a command that a message shows, in characters. */
const mostShown = 200;

interface RunEnd {
  readonly result: SandboxResult;
  readonly tail: readonly string[];
  readonly limits: SandboxLimits | undefined;
  /** What it went without, for the hint. */
  readonly absence: string | undefined;
}

/** A RUN that failed: how it ended, and the end of what it said. */
export function runError(vertex: Vertex<Spec>, { argv }: ExecSpec, { result, tail, limits, absence }: RunEnd): BuildError {
  const command = argv.at(-1) ?? '';
  const shown = command.length > mostShown ? `${command.slice(0, mostShown)}…` : command;
  const how = result.oom ? `ran out of memory (${endOf(result)}): ${memoryOf(result, limits)}` : endedBy(result);
  return new BuildError(result.oom ? 'OUT_OF_MEMORY' : 'RUN_FAILED', `${stepOf(vertex)} "${shown}" ${how}`.trimStart(), {
    range: vertex.origin,
    notes: tail,
    hint: result.oom ? memoryHint(limits) : (hintOf(result) ?? absence),
  });
}

/** Whether a RUN ended badly: one of the errors above. */
export const isFailureOfRun = (error: unknown): boolean =>
  error instanceof BuildError && (error.code === 'RUN_FAILED' || error.code === 'OUT_OF_MEMORY');

/** `[build 2/3]`; empty for what has no such name. */
export function stepOf({ name }: Vertex<Spec>): string {
  return name.match(/^\[[^\]]*\]/)?.[0] ?? '';
}

/** What a container whose processes were killed for want of memory had of it. */
export function memoryOf({ peakMemoryBytes, maxRssBytes }: SandboxResult, limits: SandboxLimits | undefined): string {
  const { memoryBytes } = limits ?? {};
  if (memoryBytes === undefined) {
    const most =
      peakMemoryBytes === undefined
        ? `the largest that ended by itself had ${mebibytes(maxRssBytes)}`
        : `it used ${mebibytes(peakMemoryBytes)}`;
    return `a process of it was killed because the machine, or the cgroup of cooper, had no memory left; ${most}`;
  }
  const used = peakMemoryBytes === undefined ? '' : `it used ${mebibytes(peakMemoryBytes)}, and `;
  return `a process of it was killed; ${used}"--memory" allows ${mebibytes(memoryBytes)}`;
}

const memoryHint = (limits: SandboxLimits | undefined): string =>
  limits?.memoryBytes === undefined
    ? 'let it do less at a time (fewer jobs), or give the machine, or the cgroup that cooper is in, more memory'
    : 'give more with --memory, or let it do less at a time (fewer jobs)';

const mebibytes = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;

const endedBy = (result: SandboxResult): string =>
  result.signal === undefined ? `ended with ${endOf(result)}` : `was ended by ${endOf(result)}`;

const endOf = ({ exitCode, signal }: SandboxResult): string =>
  signal === undefined ? `exit status ${exitCode}` : `signal ${signal} (${signalName(signal)})`;

function hintOf({ exitCode, signal }: SandboxResult): string | undefined {
  if (signal !== undefined) return undefined;
  if (exitCode === 127) return 'exit status 127: a program was not found in the image';
  // As shells have it. Programs may mean something else by it, so only signals that tell of a crash are named.
  const name = signalName(exitCode - 128);
  return crashes.includes(name) ? `exit status ${exitCode}: a program was ended by ${name}` : undefined;
}

const crashes = ['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGKILL', 'SIGSYS', 'SIGTERM', 'SIGXCPU', 'SIGXFSZ'];

/** `SIGSEGV` for 11; a number without name is `SIGRTMIN+n` or one that does not exist. */
export function signalName(signal: number): string {
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
  return name === 'SIGIOT' ? 'SIGABRT' : (name ?? `SIG${signal}`);
}
