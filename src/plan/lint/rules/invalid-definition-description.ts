import { splitKeyValue } from '../../../../grammar/key-values.ts';
import type { Rule } from '../rule.ts';

export const invalidDefinitionDescription: Rule = {
  name: 'InvalidDefinitionDescription',
  description:
    'Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a ' +
    'description comment, add an empty line or comment between the instruction and the comment.',
  url: 'https://docs.docker.com/go/dockerfile/rule/invalid-definition-description/',
  experimental: true,
  instruction({ name, args, comments, lines }, report) {
    const comment = comments.at(-1);
    if (comment === undefined || (name !== 'FROM' && name !== 'ARG')) return;
    const names =
      name === 'ARG' ? args.map((word) => splitKeyValue(word)?.name ?? word) : args.slice(2, 3).map((stage) => stage.toLowerCase());
    const [first] = names;
    if (first === undefined || names.includes(comment.split(' ', 1)[0] ?? '')) return;
    report(`Comment for ${name} should follow the format: \`# ${names.length > 1 ? '<arg_key>' : first} <description>\``, lines);
  },
};
