import { heredocStart } from '../../../../grammar/lex/heredoc.ts';
import { cleanPath } from '../../container-path.ts';
import { quote } from '../../go-format.ts';
import { isRemote } from '../../remote-source.ts';
import { type IgnoreMatcher, ignoreMatcher, ignores } from '../ignore-match.ts';
import type { IgnorePattern, Rule } from '../rule.ts';

export const copyIgnoredFile: Rule = {
  name: 'CopyIgnoredFile',
  description: 'Attempting to Copy file that is excluded by .dockerignore',
  url: 'https://docs.docker.com/go/dockerfile/rule/copy-ignored-file/',
  step({ instruction: { name, args, flags, heredocs }, ignored, lines, expand }, report) {
    if ((name !== 'COPY' && name !== 'ADD') || ignored.length === 0) return;
    // An exception may bring back a file below: no telling without the context.
    if (ignored.some(({ negated }) => negated) || flags.some((flag) => flag.name === 'from')) return;
    for (const word of args.slice(0, -1)) {
      if (heredocs.length > 0 && heredocStart(word)) continue;
      const { text, error } = expand(word);
      if (error !== undefined) return;
      if (name === 'ADD' && isRemote(text)) continue;
      const source = cleanPath(text);
      if (isIgnored(source, ignored)) {
        report(`Attempting to ${name === 'ADD' ? 'Add' : 'Copy'} file ${quote(source)} that is excluded by .dockerignore`, lines);
      }
    }
  },
};

function isIgnored(source: string, ignored: readonly IgnorePattern[]): boolean {
  const isRoot = source === '.' || source === '/';
  if (isRoot && !ignored.some(({ pattern }) => ['*', '**', '**/*'].includes(pattern))) return false;
  return ignores(matcherOf(ignored), source);
}

/** Of the last list: a build has one. */
let last: { readonly patterns: readonly IgnorePattern[]; readonly matcher: IgnoreMatcher } | undefined;

function matcherOf(patterns: readonly IgnorePattern[]): IgnoreMatcher {
  if (last?.patterns !== patterns) last = { patterns, matcher: ignoreMatcher(patterns.map(({ pattern }) => pattern)) };
  return last.matcher;
}
