import { resolve } from 'node:path';
import { BuildError } from '../../diagnostics/build-error.ts';
import { contextName } from '../../plan/named-contexts.ts';

/** Reads `--build-context name=source`: the name as it is compared, the source with its path absolute. Throws ARG_INVALID. */
export function parseBuildContext(text: string, directory: string): { readonly name: string; readonly source: string } {
  const equals = text.indexOf('=');
  if (equals < 0) {
    throw new BuildError('ARG_INVALID', `"--build-context ${text}" has no source`, {
      hint: 'it is written --build-context NAME=DIRECTORY, NAME=URL or NAME=docker-image://IMAGE',
    });
  }
  const source = text.slice(equals + 1);
  if (source === '')
    throw new BuildError('ARG_INVALID', `"--build-context ${text}" has an empty source`, { hint: 'for this directory write "."' });
  return { name: nameOf(text.slice(0, equals)), source: absoluteSource(source, directory) };
}

function nameOf(text: string): string {
  try {
    return contextName(text);
  } catch (cause) {
    if (!(cause instanceof BuildError)) throw cause;
    throw new BuildError('ARG_INVALID', `"${text}" cannot be the name of a build context: ${cause.message}`, {
      hint: cause.hint ?? 'a name is a stage or an image',
      cause,
    });
  }
}

/** Paths are relative to where the user is; whatever else it may be stays as it is. */
function absoluteSource(source: string, directory: string): string {
  const layout = /^oci-layout:\/\/(.+)$/s.exec(source)?.[1];
  if (layout !== undefined) return `oci-layout://${resolve(directory, layout)}`;
  return isRemote(source) || /^[a-z-]+:/.test(source) ? source : resolve(directory, source);
}

/** What looks like a URL or a repository is no path. */
export const isRemote = (source: string): boolean => /^(?:https?|git|ssh):\/\/|^[\w.-]+@[\w.-]+:|^github\.com\//.test(source);
