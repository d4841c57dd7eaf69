import { cliPage } from './cli-page.ts';
import { dockerfilePage } from './dockerfile-page.ts';
import { eventsPage } from './events-page.ts';
import { diagramPage, grammarPage } from './grammar-pages.ts';

/** The pages of docs/ that are made from the source, by file name. */
export const pages: Readonly<Record<string, () => string | Promise<string>>> = {
  'cli.md': cliPage,
  'dockerfile.md': dockerfilePage,
  'events.md': eventsPage,
  'grammar.html': diagramPage,
  'grammar.md': grammarPage,
};
