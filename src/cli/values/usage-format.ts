import { BuildError } from '../../diagnostics/build-error.ts';

/** Whether `--format` of `df` and `prune` asks for JSON. Throws UNSUPPORTED for a template. */
export function parseUsageFormat(text: string): boolean {
  if (text === 'json') return true;
  if (text === 'table' || text === '') return false;
  throw new BuildError('UNSUPPORTED', `"--format ${text}" is not there`, { hint: 'use --format json and a program such as jq' });
}
