import type { Rule } from '../rule.ts';

export const noEmptyContinuation: Rule = {
  name: 'NoEmptyContinuation',
  description: 'Empty continuation lines will become errors in a future release',
  url: 'https://docs.docker.com/go/dockerfile/rule/no-empty-continuation/',
  text({ instructions }, report) {
    for (const { emptyContinuation: line } of instructions) {
      if (line !== undefined) report('Empty continuation line', { first: line, last: line });
    }
  },
};
