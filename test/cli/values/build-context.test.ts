import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBuildContext } from '../../../src/cli/values/build-context.ts';

// Source: buildx 0.36, util/buildflags, `ParseContextNames`, and distribution/reference.
for (const { text, name, source } of [
  { text: 'a=.', name: 'a', source: '/work' },
  { text: 'a=../b', name: 'a', source: '/b' },
  { text: 'a=/abs/b', name: 'a', source: '/abs/b' },
  { text: 'a=b=c', name: 'a', source: '/work/b=c' },
  { text: 'alpine=.', name: 'alpine', source: '/work' },
  { text: 'alpine:latest=.', name: 'alpine', source: '/work' },
  { text: 'alpine:3.20=.', name: 'alpine:3.20', source: '/work' },
  { text: 'docker.io/library/alpine=.', name: 'alpine', source: '/work' },
  { text: 'docker.io/library/alpine:latest=.', name: 'alpine', source: '/work' },
  { text: 'docker.io/some/one=.', name: 'some/one', source: '/work' },
  { text: 'example.org:5000/x=.', name: 'example.org:5000/x', source: '/work' },
  { text: 'base::linux/arm64=.', name: 'base::linux/arm64', source: '/work' },
  { text: 'a=docker-image://alpine', name: 'a', source: 'docker-image://alpine' },
  { text: 'a=oci-layout://dir:tag', name: 'a', source: 'oci-layout:///work/dir:tag' },
  { text: 'a=oci-layout:///dir', name: 'a', source: 'oci-layout:///dir' },
  { text: 'a=https://example.org/x.git#main', name: 'a', source: 'https://example.org/x.git#main' },
  { text: 'a=git@example.org:x.git', name: 'a', source: 'git@example.org:x.git' },
  { text: 'a=target:other', name: 'a', source: 'target:other' },
]) {
  test(`--build-context ${text}`, () => assert.deepEqual(parseBuildContext(text, '/work'), { name, source }));
}

for (const { text, message } of [
  { text: 'a', message: /has no source/ },
  { text: 'a=', message: /has an empty source/ },
  { text: '=.', message: /cannot be the name of a build context/ },
  { text: 'Upper=.', message: /"Upper" cannot be the name of a build context: .*lower case/ },
  { text: 'a b=.', message: /cannot be the name of a build context/ },
]) {
  test(`--build-context refuses ${text}`, () => {
    assert.throws(() => parseBuildContext(text, '/work'), { name: 'BuildError', code: 'ARG_INVALID', message });
  });
}
