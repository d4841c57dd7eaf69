import type { Instruction } from '../../../grammar/ast.ts';
import type { Step } from '../step.ts';

/** ONBUILD: kept in the config for the builds that start from this image. It has no row of history. */
export function lowerOnbuild({ instruction, state }: Step): void {
  state.config = { ...state.config, OnBuild: [...(state.config.OnBuild ?? []), ...triggersOf(instruction)] };
}

/** The text of an ONBUILD's trigger; none for other instructions. What ends a heredoc is kept without the tabs before it. Source: BuildKit, `parseOnBuild`. */
export function triggersOf({ trigger, triggerText }: Instruction): readonly string[] {
  if (!trigger || triggerText === undefined) return [];
  const [line = ''] = triggerText.split('\n', 1);
  return [trigger.heredocs.length === 0 ? triggerText : [line, ...trigger.heredocs.map(({ raw, name }) => `${raw}${name}`)].join('\n')];
}
