import { splitKeyValue } from '../../../../grammar/key-values.ts';
import type { Report, Rule, StepView } from '../rule.ts';
import { nearestName } from '../suggest.ts';
import { variableWords } from '../variables.ts';

/** Build arguments that are never variables. Source: BuildKit, `nonEnvArgs`. */
const neverVariables: readonly string[] = ['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE'];

export const undefinedVar: Rule = {
  name: 'UndefinedVar',
  description: 'Variables should be defined before their use',
  url: 'https://docs.docker.com/go/dockerfile/rule/undefined-var/',
  step(step, report) {
    if (!step.baseIsKnown) return;
    if (step.instruction.name === 'ARG') return checkDefaults(step, report);
    for (const { word, quotes } of variableWords(step)) {
      // What is wrong with a word ends the build, and those after it are not looked at.
      if (!checkWord(step, { word, quotes, declared: new Set() }, report)) return;
    }
  },
};

/** A default that --build-arg takes the place of is not expanded. Each ARG sees those before it on the line. */
function checkDefaults(step: StepView, report: Report): void {
  const declared = new Set<string>();
  for (const argument of step.instruction.args) {
    const { name, value } = splitKeyValue(argument) ?? { name: argument, value: undefined };
    if (value !== undefined && !step.build.buildArgs.has(name)) checkWord(step, { word: value, quotes: 'remove', declared }, report);
    declared.add(name);
  }
}

interface Word {
  readonly word: string;
  readonly quotes: 'remove' | 'keep';
  /** What was declared since the step began. */
  readonly declared: ReadonlySet<string>;
}

/** Most words: nothing in them can be wrong, so it is enough to look at the names. */
const simple = /^(?:[^$\\'"`\u0080-\uffff]|\$[A-Za-z_]\w*|\$\{[A-Za-z_]\w*\})*$/;

function checkWord({ state, lines, expand }: StepView, { word, quotes, declared }: Word, report: Report): boolean {
  if (!word.includes('$')) return true;
  if (simple.test(word) && Array.from(word.matchAll(/\$\{?(\w+)/g), ([, name = '']) => name).every((name) => state.scope.has(name)))
    return true;
  const { unset, error } = expand(word, quotes);
  for (const name of unset) {
    if (state.args.has(name) || declared.has(name) || neverVariables.includes(name)) continue;
    const near = nearestName(name, state.scope.keys());
    report(`Usage of undefined variable '$${name}'${near === undefined ? '' : ` (did you mean $${near}?)`}`, lines);
  }
  return error === undefined;
}
