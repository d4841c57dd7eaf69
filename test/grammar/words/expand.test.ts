// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are words of a shell.
// Where nothing else is said, `sh` or `bash` is the oracle: printf %s WORD with the same variables prints the wanted text. Rows marked
// BuildKit differ from the shell; they are what BuildKit's shell lexer does. Positional parameters are unset in both.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandWord, expandWords } from '../../../grammar/words/expand.ts';

const variables: Record<string, string> = {
  v: 'value',
  e: '',
  a: 'a b',
  path: '/usr/local/lib/libz.so.1',
  dots: 'a.b.c',
  star: 'x*y*z',
  two: 'one\ntwo',
  é: 'accent',
  v1: 'first',
  ref: 'v',
  dollar: '$v',
  q: '"q"',
  smile: '😀é',
  aaa: 'aaa',
};
const lookup = (name: string) => variables[name];
const RESULT: readonly (readonly [word: string, want: string])[] = [
  ['', ''],
  ['plain', 'plain'],
  ['$v', 'value'],
  ['${v}', 'value'],
  ['a${v}b', 'avalueb'],
  ['$v/x', 'value/x'],
  ['$v.$v', 'value.value'],
  ['$v1', 'first'],
  ['${v}1', 'value1'],
  ['$nope', ''],
  ['${nope}', ''],
  ['$', '$'],
  ['a$', 'a$'],
  ['$.', '$.'],
  ['$/', '$/'],
  ['$ x', '$ x'],
  ['$é', 'accent'], // BuildKit: letters of every script
  // quotes and escapes
  ["'$v'", '$v'],
  ['"$v"', 'value'],
  ['"a b"', 'a b'],
  ["'a b'", 'a b'],
  ['""', ''],
  ["''", ''],
  ["a'b'c", 'abc'],
  ['a"b"c', 'abc'],
  [`"it's"`, "it's"],
  [`'say "x"'`, 'say "x"'],
  [`'a'"$v"'b'`, 'avalueb'],
  ['\\$v', '$v'],
  ['\\\\', '\\'],
  ['\\a', 'a'],
  ['\\"x\\"', '"x"'],
  ["\\'", "'"],
  ['a\\ b', 'a b'],
  ['x\\', 'x'], // BuildKit: a lone escape at the end is dropped
  ['"\\$v"', '$v'],
  ['"\\""', '"'],
  ['"\\\\"', '\\'],
  ['"\\a"', '\\a'],
  ['"\\\'"', "\\'"],
  ["'\\'", '\\'],
  ["'a\\b'", 'a\\b'],
  ['$dollar', '$v'],
  ['$q', '"q"'],
  ['"$a"', 'a b'],
  ['\\😀', '😀'],
  // default values
  ['${v:-w}', 'value'],
  ['${e:-w}', 'w'],
  ['${nope:-w}', 'w'],
  ['${v-w}', 'value'],
  ['${e-w}', ''],
  ['${nope-w}', 'w'],
  ['${v:+w}', 'w'],
  ['${e:+w}', ''],
  ['${nope:+w}', ''],
  ['${v+w}', 'w'],
  ['${e+w}', 'w'],
  ['${nope+w}', ''],
  ['${v:?m}', 'value'],
  ['${v?m}', 'value'],
  ['${e?m}', ''],
  ['${nope:-}', ''],
  ['${nope-}', ''],
  ['${v+}', ''],
  ['${nope:-$v}', 'value'],
  ['${nope:-${v}}', 'value'],
  ['${nope:-${nope2:-${e:-x}}}', 'x'],
  ['${nope:-a${v}b}', 'avalueb'],
  ['${nope:-"a b"}', 'a b'],
  ["${nope:-'$v'}", '$v'],
  ['"${nope:-"x"}"', 'x'],
  ['${nope:-a\\}b}', 'a}b'],
  ['${nope:-\\$v}', '$v'],
  ['${nope:-"}"}', '}'],
  ["${nope:-'}'}", '}'],
  ['${v:+${v}s}', 'values'],
  ['${nope:-a/b}', 'a/b'],
  ['${nope:-#x}', '#x'],
  ['${nope:-:-}', ':-'],
  ['${nope:--}', '-'],
  ['${nope:-a b}', 'a b'],
  // prefixes
  ['${path#*/}', 'usr/local/lib/libz.so.1'],
  ['${path##*/}', 'libz.so.1'],
  ['${path#/usr}', '/local/lib/libz.so.1'],
  ['${path#x}', '/usr/local/lib/libz.so.1'],
  ['${path#}', '/usr/local/lib/libz.so.1'],
  ['${dots#*.}', 'b.c'],
  ['${dots##*.}', 'c'],
  ['${dots#?}', '.b.c'],
  ['${dots#??}', 'b.c'],
  ['${dots##*}', ''],
  ['${dots#*}', 'a.b.c'],
  ['${dots#a.b.c}', ''],
  ['${dots#.}', 'a.b.c'],
  ['${star#x\\*}', 'y*z'],
  ['${star##*\\*}', 'z'],
  ['${v#$v}', ''],
  ['${v#v*l}', 'ue'],
  ['${v##v*u}', 'e'],
  ['${nope#x}', ''],
  ['${smile#?}', 'é'],
  ['${dots#[a]}', 'a.b.c'], // BuildKit: no brackets
  ['${dots#"a."}', 'b.c'],
  // suffixes
  ['${path%/*}', '/usr/local/lib'],
  ['${path%%/*}', ''],
  ['${path%.*}', '/usr/local/lib/libz.so'],
  ['${path%%.*}', '/usr/local/lib/libz'],
  ['${dots%.*}', 'a.b'],
  ['${dots%%.*}', 'a'],
  ['${dots%?}', 'a.b.'],
  ['${dots%c}', 'a.b.'],
  ['${dots%b}', 'a.b.c'],
  ['${dots%*}', 'a.b.c'],
  ['${dots%%*}', ''],
  ['${star%\\**}', 'x*y'],
  ['${star%%\\**}', 'x'],
  ['${smile%?}', '😀'],
  ['${v%l*e}', 'va'],
  // replacement
  ['${dots/./-}', 'a-b.c'],
  ['${dots//./-}', 'a-b-c'],
  ['${dots/b/}', 'a..c'],
  ['${dots//?/x}', 'xxxxx'],
  ['${dots/*/x}', 'x'],
  ['${dots//*/x}', 'x'],
  ['${dots/x/y}', 'a.b.c'],
  ['${aaa/a/b}', 'baa'],
  ['${aaa//a/b}', 'bbb'],
  ['${aaa//aa/b}', 'ba'],
  ['${path//\\//:}', ':usr:local:lib:libz.so.1'],
  ['${path/\\/usr/x}', 'x/local/lib/libz.so.1'],
  ['${star//\\*/-}', 'x-y-z'],
  ['${dots/.*./-}', 'a-c'],
  ['${dots/b/$v}', 'a.value.c'],
  ['${dots/b/${v}}', 'a.value.c'],
  ['${dots/$nope./-}', 'a-b.c'],
  ['${nope/a/b}', ''],
  ['${dots/a}b/c}', 'a.b.c'], // BuildKit: the pattern goes up to the slash, it is "a}b"
  ['${v///x}', 'xvxaxlxuxex'], // BuildKit: an empty pattern matches between all characters, as Go's regexp does
  ['${v//a/<\\$0>}', 'v<\\a>lue'], // BuildKit: the replacement is a template of Go's regexp, and keeps its backslash
  ['${v/a/\\$0}', 'v\\$0lue'], // BuildKit: only for "//"
  ["${v//a/'$$'}", 'v$lue'], // BuildKit: "$$" of a template is one dollar
  ["${v//a/'$1'}", 'vlue'], // BuildKit: no groups
  // positional and special parameters
  ['$1', ''],
  ['$1a', 'a'],
  ['$999aaa', 'aaa'], // BuildKit: all digits
  ['${1}', ''],
  ['${10:-x}', 'x'],
  ['$@', ''],
  ['$*', ''],
  ['$#x', 'x'], // BuildKit: empty, not 0
  ['$?x', 'x'], // BuildKit
  ['$-x', 'x'], // BuildKit
  ['$$x', 'x'], // BuildKit
  ['$!x', 'x'],
  ['$0x', 'x'], // BuildKit
  ['${@:-x}', 'x'],
  ['${#}', ''], // BuildKit
  ['${?}', ''], // BuildKit
];

for (const [word, want] of RESULT) {
  test(`expandWord: ${word}`, () => {
    const { text, error } = expandWord(word, lookup, { escape: '\\', quotes: 'remove' });
    assert.equal(error, undefined);
    assert.equal(text, want);
  });
}

const ERRORS: readonly (readonly [word: string, message: RegExp])[] = [
  ['${', /no "}"/],
  ['${v', /no "}"/],
  ['${v:-', /no "}"/],
  ['${v:-x', /no "}"/],
  ['${v#x', /no "}"/],
  ['${v/x', /no second "\/"/],
  ['${v/x}', /no second "\/"/],
  ['${v/x/y', /no "}"/],
  ['${}', /bad substitution/],
  ['${:}', /bad substitution/],
  ['${:-x}', /bad substitution/],
  ['${{v}}', /bad substitution/],
  ['${v:x}', /unsupported modifier ":x"/],
  ['${v:#x}', /unsupported modifier ":#"/],
  ['${v=x}', /unsupported modifier "="/],
  ['${v^}', /unsupported modifier "\^"/],
  ['${#v}', /unsupported modifier "v"/],
  ['${!v}', /unsupported modifier "v"/],
  ['${nope:?gone}', /^nope: gone$/],
  ['${nope?gone}', /^nope: gone$/],
  ['${e:?gone}', /^e: gone$/],
  ['${nope:?}', /^nope: is not allowed to be unset$/],
  ['${e:?}', /^e: is not allowed to be empty$/],
  ['${nope:?$v}', /^nope: value$/],
  ['${v:-${nope:?eager}}', /^nope: eager$/], // BuildKit: operands are expanded, used or not
  ['"x', /double quote/],
  ['"${v', /no "}"/],
  ["'x", /single quote/],
  ["a'", /single quote/],
  ["${v:-'}", /single quote/],
  ['${v:-"}', /double quote/],
  ['${v#\\x}', /invalid escape "\\x"/],
  ['${v//\\x/y}', /invalid escape "\\x"/],
  ['${v:-'.repeat(201) + '}'.repeat(201), /inside of each other/],
  ['${v:-'.repeat(100_000), /inside of each other/],
];

for (const [word, message] of ERRORS) {
  test(`expandWord fails: ${word.slice(0, 40)}`, () => {
    const { text, error } = expandWord(word, lookup, { escape: '\\', quotes: 'remove' });
    assert.match(error ?? '', message);
    assert.equal(text, '');
  });
}

for (const { name, word, want, escapeBy = '\\', quotes = 'keep' } of [
  { name: 'quotes stay in a heredoc', word: `"$v" '$v'`, want: `"value" 'value'` },
  { name: 'a single quote in a heredoc needs no other', word: "it's $v", want: "it's value" },
  { name: 'escapes count in a heredoc', word: '\\$v \\\\ \\n', want: '$v \\ n' },
  { name: 'operands in a heredoc keep quotes', word: '${nope:-"x"}', want: '"x"' },
  { name: 'a pattern in a heredoc keeps quotes', word: '${q#"}', want: 'q"' },
  { name: 'lines stay', word: 'a\n$v\n', want: 'a\nvalue\n' },
  { name: 'backtick escapes', word: '`$v \\$v', want: '$v \\value', escapeBy: '`', quotes: 'remove' },
  { name: 'backtick escapes in double quotes', word: '"`$v`"\\x"', want: '$v"\\x', escapeBy: '`', quotes: 'remove' },
  { name: 'a Windows path with the backtick', word: 'C:\\$v\\x', want: 'C:\\value\\x', escapeBy: '`', quotes: 'remove' },
] as const) {
  test(`expandWord: ${name}`, () => {
    assert.deepEqual(expandWord(word, lookup, { escape: escapeBy, quotes }), { text: want, unset: word.includes('nope') ? ['nope'] : [] });
  });
}

for (const [word, want] of [
  ['80', ['80']],
  ['$a', ['a', 'b']],
  ['"$a"', ['a b']],
  ['x${a}y', ['xa', 'by']],
  ['"$a"$a', ['a ba', 'b']],
  ["'1 2' 3", ['1 2', '3']],
  ['1\\ 2', ['1 2']],
  ['$e', []],
  ['', []],
  ['""', []], // BuildKit: an empty word is none
  [' 1  2 ', ['1', '2']],
  ['${nope:-1 2}', ['1', '2']],
] as const) {
  test(`expandWords: ${word}`, () => {
    assert.deepEqual(expandWords(word, lookup, { escape: '\\', quotes: 'remove' }).words, want);
  });
}

test('expandWord: names in vain are told once, in order', () => {
  const { unset } = expandWord('$z $y ${x:-$w} $z ${v:-$u}', lookup, { escape: '\\', quotes: 'remove' });
  assert.deepEqual(unset, ['z', 'y', 'w', 'x', 'u']);
});

test('expandWord: a pattern with many stars is no trap', () => {
  const long = 'a'.repeat(20_000);
  const { text } = expandWord(`\${long//${'*a'.repeat(50)}*b/}`, (name) => (name === 'long' ? long : undefined), {
    escape: '\\',
    quotes: 'remove',
  });
  assert.equal(text, long);
});

test('expandWord: a result without bounds is an error', () => {
  const long = 'x'.repeat(60_000);
  const get = () => long;
  for (const word of ['${a//x/$b}', '$a'.repeat(1000)]) {
    assert.match(expandWord(word, get, { escape: '\\', quotes: 'remove' }).error ?? '', /more than \d+ characters/);
  }
});
