import { cliPage } from './cli-page.ts';

/** The pages of docs/ that are made from the source, by file name. */
export const pages: Readonly<Record<string, () => string | Promise<string>>> = {
  'cli.md': cliPage,
};
