// `npm run docs`: writes the pages of docs/ that are made from tables in the source. A test compares them with what this makes.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pages } from './docs/pages.ts';

const docs = join(import.meta.dirname, '../docs');

mkdirSync(docs, { recursive: true });
for (const [name, make] of Object.entries(pages)) writeFileSync(join(docs, name), await make());
