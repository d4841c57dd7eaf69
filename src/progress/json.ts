import type { BuildEvent } from './events.ts';

/** One event as one line of JSON, as it is, but for the text of the file that a range is in: the reader has that file. */
export function renderJson(event: BuildEvent): string {
  return `${JSON.stringify(event, (key, value) => (key === 'range' && value ? { ...value, text: undefined } : value))}\n`;
}
