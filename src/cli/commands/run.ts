import { constants } from 'node:os';
import { BuildError } from '../../diagnostics/build-error.ts';
import { renderFinding } from '../../diagnostics/render.ts';
import { EventQueue } from '../../event-queue.ts';
import { runContainer } from '../../run.ts';
import { attachTerminal } from '../attach-terminal.ts';
import type { Caller } from '../caller.ts';
import { defineCommand } from '../command.ts';
import { needRoot } from '../globals.ts';
import { resourcesOf } from '../limit-flags.ts';
import { defaultRunFlags, type RunFlags, runFlags, unavailableRunFlags } from '../run-flags.ts';
import { usernsOf } from '../userns-flag.ts';
import { capabilitiesWith } from '../values/capability.ts';

/** So many times the user asks the program to end; then it is ended. */
const patience = 2;

/** How long a program whose terminal is gone may take to end, in milliseconds: nobody can reach it any more. */
const graceMs = 5000;

export const command = defineCommand<RunFlags>({
  name: 'run',
  summary: 'runs a container from an image, in the foreground',
  operands: 'IMAGE [ARG...]',
  count: [1, Number.POSITIVE_INFINITY],
  stopAtWord: true,
  flags: runFlags,
  unavailable: unavailableRunFlags,
  details: [
    "ARGs take the place of the image's CMD. The exit status is that of the program. The container and all that it wrote are gone when it " +
      'ends; signals are passed on to the program, and the third Ctrl-C ends it.',
    'With -it the program has a terminal, and every key goes to it, also Ctrl-C. There are no keys to detach: a container lives no longer than the command. ' +
      'When the terminal is closed the program gets SIGHUP, and has five seconds to end.',
  ],
  defaults: defaultRunFlags,
  run: async ({ remove, interactive, tty, ...flags }, [image = '', ...argv], caller) => {
    if (!remove) throw new BuildError('UNSUPPORTED', 'containers that are kept are not there yet', { hint: 'leave out "--rm=false"' });
    const { env, volumes, ports, network, workdir, entrypoint, hostname, security, devices, cdiDirectories } = flags;
    const { addedCapabilities: added, droppedCapabilities: dropped } = flags;
    const output = outputTo(caller);
    using typed = signalsFor(caller, tty);
    using terminal = attachTerminal(caller.terminal, { tty, interactive });
    const { exitCode } = await runContainer(
      {
        root: needRoot(flags),
        ...{ image, argv, env, volumes, ports, network, security, devices },
        ...(added.length + dropped.length > 0 && { capabilities: capabilitiesWith(added, dropped) }),
        ...(workdir !== undefined && { workdir }),
        ...(flags.certificates && { certificates: flags.certificates }),
        ...(flags.user !== undefined && { user: flags.user }),
        ...(entrypoint !== undefined && { entrypoint }),
        ...(hostname !== undefined && { hostname }),
        ...(cdiDirectories.length > 0 && { cdiDirectories }),
        resources: resourcesOf(flags),
        userns: usernsOf(flags, caller.environment),
        environment: caller.environment,
        onOutput: output.write,
        onPublished: ({ port, protocol, at }) =>
          caller.writeMessage(`port ${port}/${protocol} of the container is ${at} of this machine\n`),
        onWarning: (message) => caller.writeMessage(renderFinding({ severity: 'warning', message }, caller)),
        ...(interactive && { input: caller.input }),
        ...terminal.options,
        signals: typed.signals,
      },
      AbortSignal.any([caller.signal, output.failed, typed.hungUp]),
    ).catch((error) => {
      output.failed.throwIfAborted();
      throw error;
    });
    return exitCode;
  },
});

/** Passes output on as it is. A standard output that cannot be written ends the run, with that error. */
function outputTo({ writeResult, writeMessage }: Caller): {
  readonly write: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void | Promise<void>;
  readonly failed: AbortSignal;
} {
  const failure = new AbortController();
  const write = (stream: 'stdout' | 'stderr', bytes: Uint8Array): void | Promise<void> =>
    stream === 'stderr' ? writeMessage(bytes) : writeResult(bytes).catch((error) => failure.abort(error));
  return { write, failed: failure.signal };
}

interface TypedSignals {
  readonly signals: AsyncIterable<number>;
  /** Aborts when the terminal is gone and the program goes on without it. */
  readonly hungUp: AbortSignal;
}

const terminalGone = (): BuildError => new BuildError('CANCELLED', 'the terminal is gone, and the program did not end');

/** Signals for the program, from when it is there to get them (the first one is asked for then) to its end. Else they end the command. */
function signalsFor({ takeSignals }: Caller, tty: boolean): Disposable & TypedSignals {
  const queue = new EventQueue<number>();
  const hungUp = new AbortController();
  let grace: NodeJS.Timeout | undefined;
  let giveBack = (): void => {};
  let asked = 0;
  async function* signals(): AsyncGenerator<number, void> {
    giveBack = takeSignals((name) => {
      // A terminal of another size tells its programs itself.
      if (tty && name === 'SIGWINCH') return;
      queue.push(constants.signals[name]);
      if (tty && name === 'SIGHUP') grace ??= setTimeout(() => hungUp.abort(terminalGone()), graceMs);
      if (name === 'SIGINT' || name === 'SIGTERM') asked++;
      if (asked === patience) giveBack();
    });
    yield* queue;
  }
  const end = (): void => {
    giveBack();
    clearTimeout(grace);
    queue.end();
  };
  return { signals: signals(), hungUp: hungUp.signal, [Symbol.dispose]: end };
}
