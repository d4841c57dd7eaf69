import type { Instruction } from '../../../../grammar/ast.ts';
import { quote } from '../../go-format.ts';
import { type Installation, installationIn } from '../installation.ts';
import { perStage } from '../per-stage.ts';
import type { IgnorePattern, Rule } from '../rule.ts';

export const copyBeforeInstall: Rule = {
  name: 'CopyBeforeInstall',
  description: 'Dependencies should be installed before the whole context is copied',
  url: 'docs/rules/CopyBeforeInstall.md',
  own: true,
  step({ instruction, stage, isTrigger, lines, ignored }, report) {
    const early = isTrigger || isSelective(ignored) ? undefined : earlyCopyIn(stage);
    if (early?.copy !== instruction) return;
    const { command, line } = early.install;
    report(`The whole context is copied before ${quote(command)} (line ${line}): any change of any file installs all again`, lines);
  },
};

/** The first copy of all, and the installation after it. What a tool has installed before that needs no more than a part of the context. */
const earlyCopyIn = perStage(({ instructions }) => {
  const at = instructions.findIndex(copiesAll);
  const copy = instructions[at];
  if (!copy) return undefined;
  const install = firstInstallation(instructions.slice(at + 1));
  const isSecond = instructions.slice(0, at).some((each) => installationIn(each)?.tool === install?.tool);
  return install && !isSecond ? { copy, install } : undefined;
});

function firstInstallation(instructions: readonly Instruction[]): (Installation & { readonly line: number }) | undefined {
  for (const instruction of instructions) {
    const found = installationIn(instruction);
    if (found) return { ...found, line: instruction.lines.first };
  }
  return undefined;
}

function copiesAll({ name, args, flags, heredocs }: Instruction): boolean {
  if ((name !== 'COPY' && name !== 'ADD') || heredocs.length > 0) return false;
  if (flags.some((flag) => flag.name === 'from' || flag.name === 'exclude')) return false;
  return args.slice(0, -1).some((source) => ['.', './', '/', '*', './*'].includes(source));
}

/** An ignore file that leaves everything out but some files makes a small context, perhaps just the one that is needed. */
const isSelective = (ignored: readonly IgnorePattern[]): boolean =>
  ignored.some(({ negated }) => negated) && ignored.some(({ pattern, negated }) => !negated && /^\*\*?(?:\/\*)?$/.test(pattern));
