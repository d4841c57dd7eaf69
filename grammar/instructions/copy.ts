import type { Report } from '../diagnostics.ts';
import { heredocStart } from '../lex/heredoc.ts';
import { requireArguments, shorten } from './argument-count.ts';
import { type Arguments, boolean, type InstructionSyntax, repeatable, required } from './syntax.ts';

export const copy: InstructionSyntax = {
  name: 'COPY',
  layout: 'files',
  synopsis: 'COPY [flags] source... destination',
  flags: {
    chmod: required('permissions of what is copied'),
    chown: required('owner of what is copied'),
    exclude: repeatable('pattern of files to leave out'),
    from: required('stage, image or named context to copy from'),
    link: boolean('a layer that does not depend on the ones below it'),
    parents: boolean('keep the parent directories of the sources'),
  },
  check(given, report) {
    checkCopy(copy, given, report);
  },
};

/** COPY and ADD need a source and a destination, and the destination is a path. */
export function checkCopy(syntax: InstructionSyntax, given: Arguments, report: Report): void {
  if (!requireArguments(syntax, 2, given, report)) return;
  const destination = given.args.at(-1) ?? '';
  const range = given.argRanges.at(-1) ?? given.nameRange;
  if (given.form === 'exec' || !heredocStart(destination)) return;
  const message = `${syntax.name} cannot write to the heredoc "${shorten(destination)}"`;
  report({ code: 'HEREDOC_AS_DESTINATION', message, range, hint: `write: ${syntax.name} <<EOF destination` });
}
