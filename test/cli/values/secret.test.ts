import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSecret } from '../../../src/cli/values/secret.ts';
import { BuildError } from '../../../src/diagnostics/build-error.ts';

const caller = { directory: '/home/user', environment: { TOKEN: 'abc', EMPTY: '' } };

for (const { text, want } of [
  { text: 'id=a,src=f', want: { id: 'a', source: { file: '/home/user/f' } } },
  { text: 'id=a,source=/f', want: { id: 'a', source: { file: '/f' } } },
  { text: 'type=file,id=a,src=f', want: { id: 'a', source: { file: '/home/user/f' } } },
  { text: '"id=a","src=x,y"', want: { id: 'a', source: { file: '/home/user/x,y' } } },
  { text: 'id=a,env=TOKEN', want: { id: 'a', source: { value: 'abc' } } },
  { text: 'id=a,env=EMPTY', want: { id: 'a', source: { value: '' } } },
  { text: 'id=a,type=env,src=TOKEN', want: { id: 'a', source: { value: 'abc' } } },
  { text: 'id=TOKEN,type=env', want: { id: 'TOKEN', source: { value: 'abc' } } },
  { text: 'id=TOKEN', want: { id: 'TOKEN', source: { value: 'abc' } } },
  { text: 'id=TOKEN,type=file', want: { id: 'TOKEN', source: { file: '/home/user/TOKEN' } } },
  { text: 'id=a,src=f,scan=false', want: { id: 'a', source: { file: '/home/user/f' }, scan: false } },
  { text: 'id=a,src=f,scan=true', want: { id: 'a', source: { file: '/home/user/f' } } },
  { text: 'id=a,src=f,scan', want: { id: 'a', source: { file: '/home/user/f' } } },
  { text: 'id=a,env=TOKEN,invalidate', want: { id: 'a', source: { value: 'abc' }, invalidate: true } },
  { text: 'id=a,env=TOKEN,invalidate=false', want: { id: 'a', source: { value: 'abc' }, invalidate: false } },
  { text: 'id=netrc', want: { id: 'netrc', source: { file: '/home/user/netrc' } } },
] as const) {
  test(`parseSecret: ${text}`, () => assert.deepEqual(parseSecret(text, caller), want));
}

for (const { text, code } of [
  { text: 'src=f', code: 'ARG_INVALID' },
  { text: 'id=', code: 'ARG_INVALID' },
  { text: 'id=a,src=f,env=TOKEN', code: 'ARG_INVALID' },
  { text: 'id=a,type=vault', code: 'ARG_INVALID' },
  { text: 'id=a,path=f', code: 'ARG_INVALID' },
  { text: 'id=a,src=f,scan=maybe', code: 'ARG_INVALID' },
  { text: 'id=a,src=f,invalidate=2', code: 'ARG_INVALID' },
  { text: 'id=a,env=NOT_SET', code: 'SECRET_MISSING' },
] as const) {
  test(`parseSecret refuses: ${text}`, () => assert.throws(() => parseSecret(text, caller), { name: 'BuildError', code }));
}

test('parseSecret: a field that is nearly one of ours', () => {
  assert.throws(() => parseSecret('id=a,invalidat', caller), { code: 'ARG_INVALID', hint: 'did you mean "invalidate"?' });
});

// What people type in the place of a name or a file.
for (const text of [
  'id=a,env=ghp_abcdef0123',
  'id=a,ghp_abcdef0123',
  'id=a,value=ghp_abcdef0123',
  'id=a,id=ghp_abcdef0123',
  'id=a,type=ghp_abcdef0123',
  'id=a,scan=ghp_abcdef0123',
  'id=a,,ghp_abcdef0123',
  'id=a,"ghp_abcdef0123',
]) {
  test(`parseSecret shows no secret: ${text}`, () => {
    assert.throws(
      () => parseSecret(text, caller),
      (error) => error instanceof BuildError && !`${error.message} ${error.hint}`.includes('ghp_'),
    );
  });
}
