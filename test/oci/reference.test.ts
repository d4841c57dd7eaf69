import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import { familiarReference, formatReference, parseReference } from '../../src/oci/reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

// Wanted values: what `docker pull` names and `docker images` shows; rows of distribution/reference's own tables.
for (const { text, full, familiar = text } of [
  { text: 'debian', full: 'docker.io/library/debian:latest', familiar: 'debian:latest' },
  { text: 'debian:bookworm', full: 'docker.io/library/debian:bookworm' },
  { text: 'docker.io/debian', full: 'docker.io/library/debian:latest', familiar: 'debian:latest' },
  { text: 'index.docker.io/library/debian', full: 'docker.io/library/debian:latest', familiar: 'debian:latest' },
  { text: 'someone/tool:1.0', full: 'docker.io/someone/tool:1.0' },
  { text: 'library/a/b:1', full: 'docker.io/library/a/b:1' },
  { text: 'localhost/app', full: 'localhost/app:latest', familiar: 'localhost/app:latest' },
  { text: 'localhost:5000/app:x', full: 'localhost:5000/app:x' },
  { text: '127.0.0.1:5000/a/b/c:T_1.2-3', full: '127.0.0.1:5000/a/b/c:T_1.2-3' },
  { text: '[::1]:5000/app:1', full: '[::1]:5000/app:1' },
  { text: 'Host/app:1', full: 'Host/app:1' },
  { text: 'ghcr.io/org/name:v1', full: 'ghcr.io/org/name:v1' },
  { text: `debian@${digest}`, full: `docker.io/library/debian@${digest}` },
  { text: `debian:12@${digest}`, full: `docker.io/library/debian:12@${digest}` },
  { text: 'a__b/c--d/e.f_g:1', full: 'docker.io/a__b/c--d/e.f_g:1' },
  { text: `x:${'t'.repeat(128)}`, full: `docker.io/library/x:${'t'.repeat(128)}` },
]) {
  test(`reference ${text.slice(0, 60)}`, () => {
    const reference = parseReference(text);
    assert.equal(formatReference(reference), full);
    assert.equal(familiarReference(reference), familiar);
    assert.deepEqual(parseReference(full), reference);
  });
}

for (const { name, text, message = /is not an image reference/ } of [
  { name: 'nothing', text: '', message: /it is empty/ },
  { name: 'capitals', text: 'Debian', message: /lower case/ },
  { name: 'only a tag', text: ':latest' },
  { name: 'an empty tag', text: 'debian:' },
  { name: 'a tag that begins with a dot', text: 'debian:.x' },
  { name: 'a long tag', text: `x:${'t'.repeat(129)}` },
  { name: 'a path', text: '../x' },
  { name: 'a path in the middle', text: 'host.example/../x' },
  { name: 'an empty component', text: 'a//b' },
  { name: 'a trailing slash', text: 'a/' },
  { name: 'three underscores', text: 'a___b' },
  { name: 'a separator at the end', text: 'a-' },
  { name: 'a space', text: 'a b' },
  { name: 'a line end', text: 'debian:1\n' },
  { name: 'a null byte', text: 'a\0b' },
  { name: 'a URL', text: 'https://host.example/x' },
  { name: 'bare hex digits', text: 'a'.repeat(64), message: /64 hex digits/ },
  { name: 'a short digest', text: 'x@sha256:abc' },
  { name: 'capitals in a digest', text: `x@sha256:${'A'.repeat(64)}` },
  { name: 'another algorithm', text: `x@sha512:${'a'.repeat(128)}` },
  { name: 'a host with a path in its port', text: 'host:port/x' },
  { name: 'a long name', text: `host.example/${'a'.repeat(250)}`, message: /longer than 255/ },
  { name: 'a very long text', text: 'a/'.repeat(100_000), message: /longer than/ },
]) {
  test(`no reference: ${name}`, () => {
    assert.throws(
      () => parseReference(text),
      (error) => error instanceof BuildError && error.code === 'REFERENCE_INVALID' && message.test(error.message),
    );
  });
}
