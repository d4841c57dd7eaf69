import type { Rule, UsedExpansion } from '../rule.ts';
import { nearestName } from '../suggest.ts';

export const undefinedArgInFrom: Rule = {
  name: 'UndefinedArgInFrom',
  description: 'FROM command must use declared ARGs',
  url: 'https://docs.docker.com/go/dockerfile/rule/undefined-arg-in-from/',
  from({ from, base, platform, declared }, report) {
    const undeclared = (expansion: UsedExpansion | undefined): string[] => (expansion?.unset ?? []).filter((name) => !declared.has(name));
    for (const name of [...undeclared(base), ...undeclared(platform)]) {
      const near = nearestName(name, declared);
      report(`FROM argument '${name}' is not declared${near === undefined ? '' : ` (did you mean ${near}?)`}`, from.lines);
    }
  },
};
