import { commandLine } from '../command-line.ts';
import { quoteList } from '../go-format.ts';
import { addHistory } from '../stage-state.ts';
import type { Step } from '../step.ts';

/** ENTRYPOINT. It resets the CMD of the base: that one was meant for another program. */
export function lowerEntrypoint(step: Step): void {
  const { state } = step;
  const Entrypoint = commandLine(step);
  const { Cmd: inherited, ...rest } = state.config;
  state.config = { ...(state.hasCmd ? { ...rest, ...(inherited && { Cmd: inherited }) } : rest), Entrypoint };
  addHistory(state, `ENTRYPOINT ${quoteList(Entrypoint)}`);
}
