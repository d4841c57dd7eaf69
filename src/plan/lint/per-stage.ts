import type { Stage } from '../stages.ts';

/** What a rule finds out about a stage as a whole: once, and not again for each of its instructions. */
export function perStage<Finding>(find: (stage: Stage) => Finding): (stage: Stage) => Finding {
  const known = new WeakMap<Stage, { readonly finding: Finding }>();
  return (stage) => {
    const entry = known.get(stage) ?? { finding: find(stage) };
    known.set(stage, entry);
    return entry.finding;
  };
}
