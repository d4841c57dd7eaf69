// What the answers to questions about a Dockerfile have in common: the JSON that BuildKit's subrequests give, field by field.

import type { Lines } from './lint/rule.ts';

/** Lines as one range each; columns are not told. */
export interface JsonLocation {
  readonly ranges?: readonly { readonly start: { readonly line: number }; readonly end: { readonly line: number } }[];
}

/** The place of an instruction. */
export function locationOf({ first, last }: Lines): JsonLocation {
  const lines = Array.from({ length: Math.max(last - first, 0) + 1 }, (_, index) => ({ line: first + index }));
  return { ranges: lines.map((line) => ({ start: line, end: line })) };
}

/** The text of a Dockerfile, as Go writes bytes in JSON. */
export const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** The words after `name ` in the first comment above an instruction that begins so. Source: BuildKit, `getDocComment`. */
export function descriptionOf(name: string, comments: readonly string[]): string {
  const comment = name === '' ? undefined : comments.find((each) => each.startsWith(`${name} `));
  return comment?.slice(name.length + 1) ?? '';
}
