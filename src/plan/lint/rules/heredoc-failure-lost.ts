import { quote } from '../../go-format.ts';
import type { Rule } from '../rule.ts';
import { programOf, runScript } from '../run-script.ts';
import { shellCommands } from '../shell-script.ts';

/** Commands that do not fail, or after which it does not matter. */
const harmless: readonly string[] = [
  ...['', ':', '.', '[', 'alias', 'date', 'declare', 'echo', 'env', 'exit', 'export', 'false', 'hash', 'id', 'local', 'ls', 'printenv'],
  ...['printf', 'pwd', 'readonly', 'return', 'set', 'shopt', 'sleep', 'test', 'trap', 'true', 'typeset', 'umask', 'uname', 'unset', 'wait'],
];

const stopsAtFailure = /^-[a-zA-Z]*e[a-zA-Z]*$|^errexit$/;

export const heredocFailureLost: Rule = {
  name: 'HeredocFailureLost',
  description: 'A script in a heredoc should end with its first command that fails',
  url: 'docs/rules/HeredocFailureLost.md',
  own: true,
  step(step, report) {
    const script = runScript(step);
    if (!script?.isHeredoc || script.options.some((option) => stopsAtFailure.test(option))) return;
    const commands = shellCommands(script.text) ?? [];
    if (commands.some(({ words }) => words[0] === 'set' && words.some((word) => stopsAtFailure.test(word)))) return;
    const lost = commands.find(
      ({ words, after, depth, isCondition }) => after === ';' && depth === 0 && !isCondition && !harmless.includes(programOf(words)),
    );
    if (!lost) return;
    report(`The failure of ${quote(programOf(lost.words))} is lost: the script goes on, unless it begins with "set -e"`, step.lines);
  },
};
