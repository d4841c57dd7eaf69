import { BuildError } from '../../diagnostics/build-error.ts';

/** Reads `NAME=VALUE`; without `=` the value is undefined. Throws ARG_INVALID for an empty name. */
export function parseAssignment(text: string, option: string): { readonly name: string; readonly value: string | undefined } {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  if (name.trim() === '') throw new BuildError('ARG_INVALID', `"${option} ${text}" has no name`, { hint: `write ${option} NAME=VALUE` });
  if (text.includes('\0')) throw new BuildError('ARG_INVALID', `"${option} ${name}" holds a NUL character`);
  return { name, value: equals < 0 ? undefined : text.slice(equals + 1) };
}
