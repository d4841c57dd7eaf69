import type { Rule } from '../rule.ts';

export const legacyKeyValueFormat: Rule = {
  name: 'LegacyKeyValueFormat',
  description: 'Legacy key/value format with whitespace separator should not be used',
  url: 'https://docs.docker.com/go/dockerfile/rule/legacy-key-value-format/',
  step({ instruction: { form, nameAsWritten: name }, lines }, report) {
    if (form === 'legacy') report(`"${name} key=value" should be used instead of legacy "${name} key value" format`, lines);
  },
};
