import { quote } from '../../go-format.ts';
import type { Rule } from '../rule.ts';

export const duplicateStageName: Rule = {
  name: 'DuplicateStageName',
  description: 'Stage names should be unique',
  url: 'https://docs.docker.com/go/dockerfile/rule/duplicate-stage-name/',
  file({ sections }, report) {
    const seen = new Set<string>();
    for (const { from } of sections) {
      const name = from.args[2]?.toLowerCase();
      if (name === undefined) continue;
      if (seen.has(name)) report(`Duplicate stage name ${quote(name)}, stage names should be unique`, from.lines);
      seen.add(name);
    }
  },
};
