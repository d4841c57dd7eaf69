import { expandWord } from '../../../../grammar/words/expand.ts';
import { BuildError } from '../../../diagnostics/build-error.ts';
import { parseReference } from '../../../oci/reference.ts';
import type { Rule } from '../rule.ts';

export const invalidDefaultArgInFrom: Rule = {
  name: 'InvalidDefaultArgInFrom',
  description: 'Default value for global ARG results in an empty or invalid base image name',
  url: 'https://docs.docker.com/go/dockerfile/rule/invalid-default-arg-in-from/',
  file({ sections, defaults, escape: escapeCharacter }, report) {
    if (!defaults) return;
    for (const { from } of sections) {
      const [written = ''] = from.args;
      const { text, error } = expandWord(written, (name) => defaults.get(name), { escape: escapeCharacter, quotes: 'remove' });
      if (error !== undefined) return;
      if (!isReference(text)) report(`Default value for ARG ${written} results in empty or invalid base image name`, from.lines);
    }
  },
};

function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch (error) {
    if (error instanceof BuildError) return false;
    throw error;
  }
}
