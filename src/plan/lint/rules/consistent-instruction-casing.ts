import type { Instruction } from '../../../../grammar/ast.ts';
import type { Rule } from '../rule.ts';

export const consistentInstructionCasing: Rule = {
  name: 'ConsistentInstructionCasing',
  description: 'All commands within the Dockerfile should use the same casing (either upper or lower)',
  url: 'https://docs.docker.com/go/dockerfile/rule/consistent-instruction-casing/',
  file({ sections }, report) {
    const all = sections.flatMap(({ from, instructions }) => [from, ...instructions]);
    const lower = all.filter(isLower).length;
    const mostAreLower = lower > all.filter(isUpper).length;
    for (const instruction of all) {
      if (mostAreLower ? isLower(instruction) : isUpper(instruction)) continue;
      const casing = mostAreLower ? 'lowercase' : 'uppercase';
      report(`Command '${instruction.nameAsWritten}' should match the case of the command majority (${casing})`, instruction.lines);
    }
  },
};

const isLower = ({ nameAsWritten }: Instruction): boolean => nameAsWritten === nameAsWritten.toLowerCase();
const isUpper = ({ nameAsWritten }: Instruction): boolean => nameAsWritten === nameAsWritten.toUpperCase();
