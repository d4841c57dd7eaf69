import { quote } from '../../go-format.ts';
import type { Rule } from '../rule.ts';

const reserved: readonly string[] = ['context', 'scratch'];

export const reservedStageName: Rule = {
  name: 'ReservedStageName',
  description: 'Reserved words should not be used as stage names',
  url: 'https://docs.docker.com/go/dockerfile/rule/reserved-stage-name/',
  file({ sections }, report) {
    for (const { from } of sections) {
      const name = from.args[2]?.toLowerCase() ?? '';
      if (reserved.includes(name)) report(`Stage name should not use the same name as reserved stage ${quote(name)}`, from.lines);
    }
  },
};
