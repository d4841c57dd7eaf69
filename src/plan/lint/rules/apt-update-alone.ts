import type { Instruction } from '../../../../grammar/ast.ts';
import { perStage } from '../per-stage.ts';
import type { Rule } from '../rule.ts';
import { programOf } from '../run-script.ts';
import { shellCommands } from '../shell-script.ts';

/** What may stand beside an update that is of no use by itself. */
const besides: readonly string[] = ['', ':', 'echo', 'export', 'rm', 'set', 'sleep', 'true'];

export const aptUpdateAlone: Rule = {
  name: 'AptUpdateAlone',
  description: 'Package lists should be updated in the RUN that installs from them',
  url: 'docs/rules/AptUpdateAlone.md',
  own: true,
  step({ instruction, stage, isTrigger, lines }, report) {
    const where = isTrigger ? undefined : updatesIn(stage).get(instruction);
    if (where === undefined) return;
    report(`"apt-get update" is a step of its own, so ${where} may work with package lists from an old build`, lines);
  },
};

/** The RUNs of a stage that update only, and what comes after each. Found once for all of them. */
const updatesIn = perStage(({ instructions }) => {
  const found = new Map<Instruction, string>();
  let install: Instruction | undefined;
  for (const instruction of instructions.toReversed()) {
    const uses = usesOf(instruction);
    if (uses.installs && !uses.updates) install = instruction;
    if (!uses.updates || uses.installs || keepsLists(instruction)) continue;
    if (install) found.set(instruction, `that on line ${install.lines.first}`);
    else if (doesNothingElse(instruction)) found.set(instruction, 'a later install');
  }
  return found;
});

function usesOf(instruction: Instruction): { updates: boolean; installs: boolean } {
  // Of each command only what follows its name: looking for both at once would cost the square of its length.
  const rests = scriptOf(instruction)
    .split(/[;&|\n]/)
    .flatMap((command) => /\bapt(?:-get|itude)?\b.*/s.exec(command) ?? []);
  return {
    updates: rests.some((rest) => /\supdate\b/.test(rest) && !rest.startsWith('aptitude')),
    installs: rests.some((rest) => /\s(?:install|upgrade|dist-upgrade|full-upgrade|build-dep|satisfy|source|download)\b/.test(rest)),
  };
}

const scriptOf = ({ name, args, heredocs }: Instruction): string =>
  name === 'RUN' ? [args.join(' '), ...heredocs.map(({ content }) => content)].join('\n') : '';

/** Lists in a cache mount are not of one step. */
const keepsLists = ({ flags }: Instruction): boolean => flags.some(({ name, value = '' }) => name === 'mount' && value.includes('/apt'));

function doesNothingElse(instruction: Instruction): boolean {
  const commands = instruction.form === 'exec' ? [{ words: instruction.args }] : shellCommands(scriptOf(instruction));
  return commands?.every(({ words }) => /^apt(?:-get)?$/.test(programOf(words)) || besides.includes(programOf(words))) ?? false;
}
