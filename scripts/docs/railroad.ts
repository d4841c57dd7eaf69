import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import type { ISerializedGast } from 'chevrotain';

const drawing = join(import.meta.dirname, '../../node_modules/chevrotain/diagrams');

/**
 * Each rule's name as a heading and its diagram as SVG. Chevrotain draws in the reader's browser, with scripts from a host; the same
 * scripts draw here, so that the page needs neither. They expect a browser's global object, which is what they get.
 */
export function railroadDiagrams(rules: readonly ISerializedGast[]): string {
  const browser: { diagrams_builder?: { buildSyntaxDiagramsText: (rules: readonly ISerializedGast[]) => string } } = {};
  const context = createContext(browser);
  for (const file of ['vendor/railroad-diagrams.js', 'src/diagrams_builder.js']) {
    runInContext(readFileSync(join(drawing, file), 'utf8'), context, { filename: file });
  }
  if (!browser.diagrams_builder) throw new TypeError("chevrotain's scripts did not set what they set in a browser");
  // Other attributes than the place are for scripts of a browser, and their values are not quoted as HTML wants it.
  return browser.diagrams_builder.buildSyntaxDiagramsText(rules).replaceAll(/(<text x="[^"]*" y="[^"]*")[^>]*>/g, '$1>');
}
