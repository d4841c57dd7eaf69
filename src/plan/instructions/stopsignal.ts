import { isSignal, signalNames } from '../signals.ts';
import { addHistory } from '../stage-state.ts';
import { expandArg, invalid, rangeOfArg, type Step } from '../step.ts';
import { didYouMean } from '../suggestion.ts';

/** STOPSIGNAL: a number or a name, stored as written. */
export function lowerStopsignal(step: Step): void {
  const { state } = step;
  const StopSignal = expandArg(step, 0);
  if (!isSignal(StopSignal)) {
    throw invalid(step, `"${StopSignal}" is not a signal`, { range: rangeOfArg(step, 0), hint: didYouMean(StopSignal, signalNames) });
  }
  state.config = { ...state.config, StopSignal };
  addHistory(state, `STOPSIGNAL ${StopSignal}`);
}
