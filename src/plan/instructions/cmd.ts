import { commandLine } from '../command-line.ts';
import { quoteList } from '../go-format.ts';
import { addHistory } from '../stage-state.ts';
import type { Step } from '../step.ts';

/** CMD. */
export function lowerCmd(step: Step): void {
  const { state } = step;
  const Cmd = commandLine(step);
  // BuildKit sets ArgsEscaped with every CMD, on Linux too, where it means nothing; equal configs need it.
  state.config = { ...state.config, Cmd, ArgsEscaped: true };
  state.hasCmd = true;
  addHistory(state, `CMD ${quoteList(Cmd)}`);
}
