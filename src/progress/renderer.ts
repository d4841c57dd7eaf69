import type { BuildEvent } from './events.ts';
import { renderJson } from './json.ts';
import { plainRenderer } from './plain.ts';

/** Draws a build: takes its events in order, gives the text to show for each (often none). It knows no terminal and no clock. */
export type Renderer = (event: BuildEvent) => string;

export const progressModes = ['auto', 'plain', 'json', 'quiet'] as const;
export type ProgressMode = (typeof progressModes)[number];

/** A renderer for one build. */
export function rendererFor(mode: ProgressMode, color: boolean): Renderer {
  if (mode === 'json') return renderJson;
  if (mode === 'quiet') return () => '';
  return plainRenderer({ color });
}
