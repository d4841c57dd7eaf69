import { checkCopy } from './copy.ts';
import { boolean, type InstructionSyntax, repeatable, required } from './syntax.ts';

export const add: InstructionSyntax = {
  name: 'ADD',
  layout: 'files',
  synopsis: 'ADD [flags] source... destination',
  flags: {
    checksum: required('digest that a remote source must have'),
    chmod: required('permissions of what is added'),
    chown: required('owner of what is added'),
    exclude: repeatable('pattern of files to leave out'),
    'keep-git-dir': boolean('keep .git of a git source'),
    link: boolean('a layer that does not depend on the ones below it'),
    unpack: boolean('whether an archive is unpacked'),
  },
  check(given, report) {
    checkCopy(add, given, report);
  },
};
