import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from '../../grammar/parse.ts';
import { astToJSON } from '../../grammar/print.ts';

test('astToJSON: the contract, with its fields in their order', () => {
  const text = '# syntax=a\nFROM x AS y\nONBUILD COPY --link --chown=1 <<-E /f\n\tt\n\tE\nCMD ["a"]\nFRM \n';
  const at = (line: number, column: number, offset: number) => ({ line, column, offset });
  const want = {
    directives: { syntax: 'a' },
    instructions: [
      {
        name: 'FROM',
        flags: [],
        form: 'words',
        args: ['x', 'AS', 'y'],
        heredocs: [],
        range: { start: at(2, 1, 11), end: at(2, 12, 22) },
      },
      {
        name: 'ONBUILD',
        flags: [],
        form: 'words',
        args: [],
        trigger: {
          name: 'COPY',
          flags: [{ name: 'link' }, { name: 'chown', value: '1' }],
          form: 'words',
          args: ['<<-E', '/f'],
          heredocs: [{ name: 'E', expand: true, chomp: true, content: 't\n' }],
          range: { start: at(3, 9, 31), end: at(5, 3, 66) },
        },
        heredocs: [],
        range: { start: at(3, 1, 23), end: at(5, 3, 66) },
      },
      { name: 'CMD', flags: [], form: 'exec', args: ['a'], heredocs: [], range: { start: at(6, 1, 67), end: at(6, 10, 76) } },
      { name: 'FRM', flags: [], form: 'words', args: [], heredocs: [], range: { start: at(7, 1, 77), end: at(7, 5, 81) } },
    ],
    diagnostics: [
      {
        code: 'UNKNOWN_INSTRUCTION',
        severity: 'error',
        message: 'unknown instruction "FRM"',
        range: { start: at(7, 1, 77), end: at(7, 4, 80) },
        hint: 'did you mean FROM?',
      },
    ],
  };
  assert.equal(JSON.stringify(astToJSON(parseDockerfile(text)), null, 1), JSON.stringify(want, null, 1));
});
