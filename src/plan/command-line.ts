import type { StageState } from './stage-state.ts';
import type { Step } from './step.ts';

const defaultShell: readonly string[] = ['/bin/sh', '-c'];

/** What CMD, ENTRYPOINT and RUN start: the array as it stands, or the text as one argument of the SHELL. Nothing is expanded. */
export function commandLine({ instruction, state }: Step): readonly string[] {
  return instruction.form === 'exec' ? [...instruction.args] : withShell(state, instruction.args.join(' '));
}

/** A command line that hands `text` to the SHELL. */
export function withShell({ config }: StageState, text: string): readonly string[] {
  return [...(config.Shell?.length ? config.Shell : defaultShell), text];
}
