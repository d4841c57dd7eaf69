import { invalid, type Step } from '../step.ts';

const forbidden: readonly string[] = ['ONBUILD', 'FROM', 'MAINTAINER'];

/** ONBUILD: kept in the config for the builds that start from this image. It has no row of history. */
export function lowerOnbuild(step: Step): void {
  const { instruction, state } = step;
  const { trigger, triggerText } = instruction;
  if (!trigger || triggerText === undefined) throw invalid(step, 'ONBUILD has no instruction');
  if (forbidden.includes(trigger.name)) throw invalid(step, `${trigger.name} cannot be triggered by ONBUILD`);
  // What ends a heredoc is kept without the tabs before it. Source: BuildKit, `parseOnBuild`.
  const [line = ''] = triggerText.split('\n', 1);
  const text = trigger.heredocs.length === 0 ? triggerText : [line, ...trigger.heredocs.map(({ raw, name }) => `${raw}${name}`)].join('\n');
  state.config = { ...state.config, OnBuild: [...(state.config.OnBuild ?? []), text] };
}
