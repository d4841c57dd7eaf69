import { stat } from 'node:fs/promises';
import { BuildError } from '../diagnostics/build-error.ts';

/** Where a build context, or a Dockerfile, comes from. */
export type Location =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'stdin' }
  | { readonly kind: 'http'; readonly url: string }
  | { readonly kind: 'git'; readonly text: string };

/** Whether a text is an http(s) URL. No more is looked at. */
export const isHttpUrl = (text: string): boolean => /^https?:\/\//.test(text);

/** What a build context is. A directory comes first, as `docker build` has it: one may well be called `github.com`. Throws CONTEXT_INVALID. */
export async function locateContext(text: string, isGit: (text: string) => boolean): Promise<Location> {
  if (text === '') throw new BuildError('CONTEXT_INVALID', 'the build context is an empty name', { hint: 'for this directory write "."' });
  if (text === '-') return { kind: 'stdin' };
  const found = await stat(text).catch(() => undefined);
  if (found?.isDirectory()) return { kind: 'directory', path: text };
  if (isGit(text)) return { kind: 'git', text };
  if (isHttpUrl(text)) return { kind: 'http', url: text };
  throw new BuildError('CONTEXT_INVALID', `the build context "${text}" ${found ? 'is not a directory' : 'is not there'}`, {
    hint: found
      ? 'an archive or a Dockerfile is read from standard input: give "-" and "< FILE"'
      : 'the last argument is the directory whose files COPY can see, often "."',
  });
}
