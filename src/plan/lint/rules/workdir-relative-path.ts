import { quote } from '../../go-format.ts';
import type { Rule } from '../rule.ts';

export const workdirRelativePath: Rule = {
  name: 'WorkdirRelativePath',
  description:
    'Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes',
  url: 'https://docs.docker.com/go/dockerfile/rule/workdir-relative-path/',
  step({ instruction: { name, args }, hasWorkdir, lines, expand }, report) {
    // The first one decides: those after it are relative to it.
    if (name !== 'WORKDIR' || hasWorkdir) return;
    const { text, error } = expand(args[0] ?? '');
    if (error !== undefined || text.startsWith('/')) return;
    report(`Relative workdir ${quote(text)} can have unexpected results if the base image changes`, lines);
  },
};
