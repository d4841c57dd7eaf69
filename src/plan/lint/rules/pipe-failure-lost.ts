import { quote } from '../../go-format.ts';
import type { Rule } from '../rule.ts';
import { programOf, runScript } from '../run-script.ts';
import { type ShellCommand, shellCommands } from '../shell-script.ts';

/** Programs that do not fail, or whose failure is an answer. */
const harmless: readonly string[] = [
  ...[
    '',
    ':',
    'basename',
    'date',
    'dirname',
    'echo',
    'egrep',
    'env',
    'false',
    'fgrep',
    'getconf',
    'grep',
    'head',
    'hostname',
    'id',
    'nproc',
  ],
  ...['printenv', 'printf', 'pwd', 'seq', 'set', 'tail', 'tee', 'tr', 'true', 'uname', 'uniq', 'wc', 'whoami', 'yes'],
];

export const pipeFailureLost: Rule = {
  name: 'PipeFailureLost',
  description: 'A command in front of a pipe should not be able to fail unseen',
  url: 'docs/rules/PipeFailureLost.md',
  own: true,
  step(step, report) {
    const script = runScript(step);
    if (!script?.text.includes('|') || [script.text, ...script.options].some((text) => text.includes('pipefail'))) return;
    const lost = lostCommand(shellCommands(script.text) ?? []);
    if (!lost) return;
    report(
      `The failure of ${quote(programOf(lost.words))} is lost: of a pipe only the last command counts, unless "set -o pipefail" is on`,
      step.lines,
    );
  },
};

function lostCommand(commands: readonly ShellCommand[]): ShellCommand | undefined {
  let start = 0;
  for (const [index, { after }] of commands.entries()) {
    if (after === '|') continue;
    const pipe = commands.slice(start, index + 1);
    start = index + 1;
    // What follows "||" is there for a failure, so somebody has thought of one.
    if (pipe.some(({ isCondition }) => isCondition) || after === '||') continue;
    const lost = pipe.slice(0, -1).find(({ words }) => !harmless.includes(programOf(words)));
    if (lost) return lost;
  }
  return undefined;
}
