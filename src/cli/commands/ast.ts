import { resolve } from 'node:path';
import { parseDockerfile } from '../../../grammar/parse.ts';
import { astToJSON } from '../../../grammar/print.ts';
import { readDockerfile } from '../../context/dockerfile.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import { renderDiagnostics } from '../../diagnostics/render.ts';
import type { Caller } from '../caller.ts';
import { defineCommand } from '../command.ts';

/** As for a Dockerfile on disk. */
const maxBytes = 16 * 1024 * 1024;

export const command = defineCommand({
  name: 'ast',
  summary: 'prints a Dockerfile as parsed, as one JSON object',
  operands: 'FILE',
  count: [1, 1],
  flags: [],
  details: [
    'With - it reads standard input. The object has "directives", "instructions" and "diagnostics"; lines and columns count from 1, ' +
      'offsets in UTF-8 bytes from 0. Errors are shown on standard error as well, and make the exit status 1.',
  ],
  defaults: () => ({}),
  run: async (_globals, [name = ''], caller) => {
    const source = await read(name, caller);
    const dockerfile = parseDockerfile(source.text);
    await caller.writeResult(`${JSON.stringify(astToJSON(dockerfile), undefined, 2)}\n`);
    caller.writeMessage(renderDiagnostics(dockerfile.diagnostics, source, caller));
    return dockerfile.diagnostics.some(({ severity }) => severity === 'error') ? 1 : 0;
  },
});

async function read(name: string, { directory, input }: Caller): Promise<{ file: string; text: string }> {
  if (name !== '-') return readDockerfile(resolve(directory, name), directory);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input) {
    length += chunk.length;
    if (length > maxBytes) throw new BuildError('DOCKERFILE_INVALID', `standard input has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return { file: '-', text: Buffer.concat(chunks).toString('utf8') };
}
