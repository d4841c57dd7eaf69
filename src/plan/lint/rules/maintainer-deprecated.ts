import type { Rule } from '../rule.ts';

export const maintainerDeprecated: Rule = {
  name: 'MaintainerDeprecated',
  description: 'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
  url: 'https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/',
  instruction({ name, lines }, report) {
    if (name === 'MAINTAINER') report('Maintainer instruction is deprecated in favor of using label', lines);
  },
};
