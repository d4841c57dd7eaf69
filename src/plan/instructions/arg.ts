import { splitKeyValue } from '../../../grammar/key-values.ts';
import { addHistory, define } from '../stage-state.ts';
import { expandAt, rangeOfArg, type Step } from '../step.ts';

/** Never part of a RUN's environment. Source: BuildKit, `nonEnvArgs`. */
const outsideEnvironment: readonly string[] = ['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE'];

/**
 * ARG in a stage. The value is --build-arg's, else the default, else (for a bare ARG) that of the global ARG, else there is none: an ENV of
 * the same name stays in effect then. A default that is not used is not expanded. Unlike other instructions, each ARG of one line sees
 * those before it. Source: BuildKit, `dispatchArg`.
 */
export function lowerArg(step: Step): void {
  const declared = step.instruction.args.map((word, index) => declare(step, word, index));
  addHistory(step.state, ['ARG', ...declared].join(' '));
}

function declare(step: Step, word: string, index: number): string {
  const { state } = step;
  const { name, value: text } = splitKeyValue(word) ?? { name: word, value: undefined };
  const value = valueFor(step, name, text, index);
  if (value !== undefined && !outsideEnvironment.includes(name)) define(state, name, value);
  state.args.set(name, value);
  return value === undefined ? name : `${name}=${value}`;
}

function valueFor(step: Step, name: string, text: string | undefined, index: number): string | undefined {
  const { buildArgs, globalArgs } = step.build;
  if (buildArgs.has(name)) return buildArgs.get(name);
  return text === undefined ? globalArgs.get(name) : expandAt(step, text, rangeOfArg(step, index));
}
