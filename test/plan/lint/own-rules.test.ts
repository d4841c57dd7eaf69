// Rules that BuildKit does not have. Each row is a stage from scratch, and what is found in it: nothing is worse than a warning that is wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lint } from '../../support/lint-fixtures.ts';

const pipe = 'PipeFailureLost';
const heredoc = 'HeredocFailureLost';
const apt = 'AptUpdateAlone';
const copy = 'CopyBeforeInstall';

interface Row {
  readonly name: string;
  readonly stage: string;
  /** `rule:line`, in order. */
  readonly found?: readonly string[];
  readonly ignore?: string;
}

const rows: readonly Row[] = [
  { name: 'a pipe', stage: 'RUN curl -fsSL https://example.com/a | tar xz', found: [`${pipe}:2`] },
  { name: 'a pipe behind other commands', stage: 'RUN set -eux; mkdir a && wget -qO- u | sh && rm -r a', found: [`${pipe}:2`] },
  { name: 'a pipe within a group', stage: 'RUN a && ( curl u | sh )', found: [`${pipe}:2`] },
  { name: 'a pipe within a condition that holds', stage: 'RUN if true; then curl u | sh; fi', found: [`${pipe}:2`] },
  { name: 'three programs', stage: 'RUN echo a | curl -d @- u | sh', found: [`${pipe}:2`] },
  { name: 'a path and an assignment in front', stage: 'RUN A=b /usr/bin/curl u | sh', found: [`${pipe}:2`] },
  { name: 'both streams', stage: 'RUN make |& tee log', found: [`${pipe}:2`] },
  { name: 'a pipe in a heredoc', stage: 'RUN <<E\nset -e\ncurl u | sh\nE', found: [`${pipe}:2`] },
  { name: 'pipefail', stage: 'RUN set -o pipefail && curl u | sh' },
  { name: 'pipefail in short', stage: 'RUN set -euxo pipefail; curl u | sh' },
  { name: 'pipefail of the SHELL', stage: 'SHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN curl u | sh' },
  { name: 'pipefail of another shell', stage: "RUN bash -o pipefail -c 'curl u | sh'" },
  { name: 'another kind of SHELL', stage: 'SHELL ["powershell", "-Command"]\nRUN a | b' },
  { name: 'exec form', stage: 'RUN ["curl", "u", "|", "sh"]' },
  { name: 'what cannot fail', stage: 'RUN echo y | cmd && printf x | cmd && yes | cmd && grep a b | wc' },
  { name: 'what only passes on', stage: 'RUN echo y | tee log | sh && head -n 1 /etc/x | cut -c 2' },
  { name: 'or', stage: 'RUN a || b' },
  { name: 'a pipe that may fail', stage: 'RUN curl u | sh || true' },
  { name: 'a pipe that is asked', stage: 'RUN if ps | grep a; then b; fi && ! ps | grep c' },
  { name: 'a pipe in quotes', stage: 'RUN echo "a | b" \'c | d\' e\\|f' },
  { name: 'a pipe in a substitution', stage: 'RUN a "$(curl u | jq .x)" $(b | c) `d | e`' },
  { name: 'a pipe in a comment', stage: 'RUN <<E\nset -e\n# a | b\nc\nE' },
  { name: 'alternatives of a case', stage: 'RUN case "$a" in b|c) d ;; *) e | f ;; esac' },
  { name: 'no clobber', stage: 'RUN a >| b' },
  { name: 'a quote that is open', stage: 'RUN a "b | c' },
  { name: 'a loop in front', stage: 'RUN for i in 1 2; do echo $i; done | sort' },
  { name: 'skipped above', stage: '# check=skip=PipeFailureLost\nRUN curl u | sh' },

  { name: 'commands of a heredoc', stage: 'RUN <<E\napk add a\nmake\nE', found: [`${heredoc}:2`] },
  { name: 'lists of a heredoc', stage: 'RUN <<-E\n\tcd a && make\n\tmake install\nE', found: [`${heredoc}:2`] },
  { name: 'commands for a shell', stage: 'RUN bash <<E\nmake\nmake install\nE', found: [`${heredoc}:2`] },
  { name: 'commands for a shell by its line', stage: 'RUN <<E\n#!/usr/bin/env bash\nmake\nmake install\nE', found: [`${heredoc}:2`] },
  { name: 'one command', stage: 'RUN <<E\nmake\nE' },
  { name: 'one list', stage: 'RUN <<E\nmake && \\\n  make install\nE' },
  { name: 'set -e', stage: 'RUN <<E\nset -e\nmake\nmake install\nE' },
  { name: 'set -eux', stage: 'RUN <<E\nset -eux\nmake\nmake install\nE' },
  { name: 'errexit', stage: 'RUN <<E\nset -o errexit\nmake\nmake install\nE' },
  { name: 'the shell ends at a failure', stage: 'RUN <<E\n#!/bin/sh -e\nmake\nmake install\nE' },
  { name: 'the SHELL ends at a failure', stage: 'SHELL ["/bin/sh", "-ec"]\nRUN <<E\nmake\nmake install\nE' },
  { name: 'the started shell ends at a failure', stage: 'RUN bash -eu <<E\nmake\nmake install\nE' },
  { name: 'another interpreter', stage: 'RUN <<E\n#!/usr/bin/env python3\nprint(1)\nprint(2)\nE' },
  { name: 'another program', stage: 'RUN python3 <<E\nprint(1)\nprint(2)\nE' },
  { name: 'a file', stage: 'RUN cat <<E > /x\na\nb\nE' },
  { name: 'failures that are expected', stage: 'RUN <<E\nmake || true\nmake install || exit 1\nls\nE' },
  { name: 'commands that do not fail', stage: 'RUN <<E\necho a\nexport b=c\nd=e\nmake\nE' },
  { name: 'a condition', stage: 'RUN <<E\nif make; then\n  a\nfi\nE' },
  { name: 'a file from a heredoc', stage: 'COPY <<E /x\nmake\nmake install\nE' },

  { name: 'update, then install', stage: 'RUN apt-get update\nRUN apt-get install -y curl', found: [`${apt}:2`] },
  { name: 'update with options', stage: 'RUN apt-get -qq -o A::B=1 update && rm -rf /var/cache', found: [`${apt}:2`] },
  { name: 'apt, in a heredoc', stage: 'RUN <<E\nset -e\napt update\nE\nRUN apt install -y curl', found: [`${apt}:2`] },
  { name: 'update as exec form', stage: 'RUN ["apt-get", "update"]', found: [`${apt}:2`] },
  {
    name: 'update and something else, then install',
    stage: 'RUN apt-get update && ./prepare\nRUN apt-get install -y curl',
    found: [`${apt}:2`],
  },
  { name: 'update and install', stage: 'RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*' },
  { name: 'update and upgrade', stage: 'RUN apt-get update && apt-get -y dist-upgrade' },
  { name: 'install alone', stage: 'RUN apt-get install -y curl' },
  { name: 'update for a script that installs', stage: 'RUN apt-get update && ./install-all.sh' },
  { name: 'update for xargs', stage: 'RUN apt-get update && xargs apt-get install -y < list' },
  { name: 'update of both', stage: 'RUN apt-get update && ./a\nRUN apt-get update && apt-get install -y b' },
  { name: 'lists in a cache mount', stage: 'RUN --mount=type=cache,target=/var/lib/apt apt-get update\nRUN apt-get install -y b' },
  { name: 'another update', stage: 'RUN npm update && apk update && brew update' },

  { name: 'all copied, then npm ci', stage: 'WORKDIR /a\nCOPY . .\nRUN npm ci', found: [`${copy}:3`] },
  { name: 'all copied, then pip', stage: 'COPY ./ /app/\nRUN pip install --no-cache-dir -r requirements.txt', found: [`${copy}:2`] },
  { name: 'all added, then python -m pip', stage: 'ADD . /app\nRUN cd /app && python3 -m pip install -r r.txt', found: [`${copy}:2`] },
  { name: 'all copied, then npm install', stage: 'COPY . .\nENV a=1\nRUN npm install --omit=dev', found: [`${copy}:2`] },
  { name: 'all copied, then go mod download', stage: 'COPY . .\nRUN go mod download && go build', found: [`${copy}:2`] },
  { name: 'all copied, then yarn', stage: 'COPY --chown=1 . .\nRUN yarn', found: [`${copy}:2`] },
  { name: 'lists copied first', stage: 'COPY package*.json ./\nRUN npm ci\nCOPY . .\nRUN npm run build' },
  { name: 'lists copied first, and once more', stage: 'COPY package*.json ./\nRUN npm ci\nCOPY . .\nRUN npm ci --omit=dev' },
  { name: 'a named package', stage: 'COPY . .\nRUN npm install -g typescript && pip install flask && yarn add x' },
  { name: 'the context itself', stage: 'COPY . .\nRUN pip install . && go build && npm run build' },
  { name: 'files of another stage', stage: 'COPY --from=0 . .\nRUN npm ci'.replace('--from=0', '--from=scratch') },
  { name: 'a folder', stage: 'COPY src .\nRUN npm ci' },
  { name: 'a cache mount', stage: 'COPY . .\nRUN --mount=type=cache,target=/root/.npm npm ci' },
  { name: 'a context of few files', stage: 'COPY . .\nRUN npm ci', ignore: '*\n!package.json\n!package-lock.json\n' },
  { name: 'left out by a flag', stage: 'COPY --exclude=src . .\nRUN npm ci' },
];

for (const { name, stage, found = [], ignore } of rows) {
  test(`our rules: ${name}`, async () => {
    const { warnings, error } = await lint({ text: `FROM scratch\n${stage}\n`, ...(ignore !== undefined && { ignore }) });
    assert.equal(error, undefined, error?.message);
    assert.deepEqual(
      warnings.filter(({ rule }) => rule.own).map(({ rule, lines }) => `${rule.name}:${lines.first}`),
      found,
    );
  });
}

test('our rules: no error, whatever "error=true" says', async () => {
  const { warnings, error } = await lint({ text: '# check=error=true\nFROM scratch\nRUN curl u | sh\n' });
  assert.equal(error, undefined);
  assert.equal(warnings.length, 1);
});

test('our rules: skipped with all others', async () => {
  const { warnings } = await lint({ text: '# check=skip=all\nFROM scratch\nRUN curl u | sh\n' });
  assert.deepEqual(warnings, []);
});
