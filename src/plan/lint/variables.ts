import { parseCsvLine } from '../../../grammar/csv.ts';
import { splitKeyValue } from '../../../grammar/key-values.ts';
import type { StepView } from './rule.ts';

/** Words in which an instruction's variables have to be known, in the order in which BuildKit expands them. Source: its `Expand` methods. */
export function variableWords({ instruction }: StepView): readonly { readonly word: string; readonly quotes: 'remove' | 'keep' }[] {
  const { name, args, flags, heredocs, form } = instruction;
  const values = (...names: readonly string[]): string[] =>
    names.flatMap((each) => flags.filter((flag) => flag.name === each).map(({ value = '' }) => value));
  switch (name) {
    case 'ENV':
    case 'LABEL':
      return plain(form === 'legacy' ? args : args.flatMap(bothSides));
    case 'ADD':
    case 'COPY':
      return [
        ...plain([...values('chown', 'chmod', 'checksum'), ...args]),
        ...heredocs.filter(({ expand }) => expand).map(({ content }) => ({ word: content, quotes: 'keep' as const })),
      ];
    case 'RUN':
      return plain(values('mount').flatMap(mountValues));
    case 'STOPSIGNAL':
    case 'USER':
    case 'VOLUME':
    case 'WORKDIR':
      return plain(args);
    default:
      return [];
  }
}

const plain = (words: readonly string[]): { word: string; quotes: 'remove' }[] => words.map((word) => ({ word, quotes: 'remove' }));

function bothSides(word: string): readonly string[] {
  const pair = splitKeyValue(word);
  return pair ? [pair.name, pair.value] : [word];
}

const mountValues = (mount: string): readonly string[] => (parseCsvLine(mount) ?? []).flatMap((field) => splitKeyValue(field)?.value ?? []);
