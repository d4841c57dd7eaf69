import type { Rule } from '../rule.ts';

export const stageNameCasing: Rule = {
  name: 'StageNameCasing',
  description: 'Stage names should be lowercase',
  url: 'https://docs.docker.com/go/dockerfile/rule/stage-name-casing/',
  instruction({ name, args, lines }, report) {
    const [, , stage] = args;
    if (name !== 'FROM' || args.length !== 3 || stage === undefined || stage === stage.toLowerCase()) return;
    report(`Stage name '${stage}' should be lowercase`, lines);
  },
};
