import type { Rule } from '../rule.ts';

export const fromAsCasing: Rule = {
  name: 'FromAsCasing',
  description: "The 'as' keyword should match the case of the 'from' keyword",
  url: 'https://docs.docker.com/go/dockerfile/rule/from-as-casing/',
  instruction({ name, nameAsWritten: from, args, lines }, report) {
    const [, as] = args;
    if (name !== 'FROM' || args.length < 3 || as === undefined) return;
    const isLower = from === from.toLowerCase();
    // A mixed one is ConsistentInstructionCasing's.
    if (!isLower && from !== from.toUpperCase()) return;
    if (as !== (isLower ? as.toLowerCase() : as.toUpperCase())) report(`'${as}' and '${from}' keywords' casing do not match`, lines);
  },
};
