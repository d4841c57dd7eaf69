import { posix } from 'node:path';
import type { Instruction } from '../../grammar/ast.ts';
import { parseBoolean } from '../../grammar/boolean.ts';
import { parseCsvLine } from '../../grammar/csv.ts';
import { splitKeyValue } from '../../grammar/key-values.ts';
import { expandWord } from '../../grammar/words/expand.ts';
import type { Lines } from './lint/rule.ts';

/** Something that a RUN wants from whoever builds. */
export interface OutlineMount {
  readonly type: 'secret' | 'ssh';
  readonly id: string;
  readonly required: boolean;
  readonly lines: Lines;
}

/** The secrets and ssh sockets that an instruction mounts. */
export function outlineMounts(
  { instruction: { name, flags }, lines }: { readonly instruction: Instruction; readonly lines: Lines },
  scope: ReadonlyMap<string, string> = new Map(),
): readonly OutlineMount[] {
  if (name !== 'RUN') return [];
  return flags.flatMap((flag) => {
    const fields = flag.name === 'mount' ? fieldsOf(flag.value ?? '', scope) : new Map<string, string>();
    const type = fields.get('type')?.toLowerCase();
    if (type !== 'secret' && type !== 'ssh') return [];
    const required = parseBoolean(fields.get('required') ?? '') === true;
    return [{ type, id: type === 'ssh' ? fields.get('id') || 'default' : secretId(fields), required, lines }];
  });
}

/** Source: BuildKit, `dispatchSecret`. */
function secretId(fields: ReadonlyMap<string, string>): string {
  return fields.get('source') || fields.get('id') || posix.basename(fields.get('target') ?? '');
}

const aliases: Readonly<Record<string, string>> = { src: 'source', dst: 'target', destination: 'target' };

function fieldsOf(mount: string, scope: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const pairs = (parseCsvLine(mount) ?? []).map((field) => splitKeyValue(field) ?? { name: field, value: 'true' });
  return new Map(
    pairs.map(({ name, value }) => {
      const key = name.toLowerCase();
      return [aliases[key] ?? key, expandWord(value, (variable) => scope.get(variable), { escape: '\\', quotes: 'remove' }).text];
    }),
  );
}
