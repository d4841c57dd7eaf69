import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cooperWithBusybox } from '../support/busybox.ts';
import type { Cooper } from '../support/cooper.ts';
import { lastLayer } from '../support/layer-entries.ts';
import { compileProbe, outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';

// CVE-2024-11218: a bind mount `from=` a stage whose step runs, or whose files somebody else has in his hands; and such mounts that are written to.

const files = 'removed here mode file';
const look = `echo *; grep . ${files}; stat -c %a mode`;
const seen = (names: string): string => `${names}\nremoved:good\nhere:good\nmode:good\nfile:good\n644\n`;

/**
 * `source` changes its files while `beside` runs, as stages do side by side: so long `mounts` must not begin. In the end it hands its root over
 * to `beside` (`probe keep`), which writes there while `mounts` looks.
 */
const running = (base: string): string => `FROM ${base} AS base
COPY probe /probe
FROM base AS source
RUN mkdir /kept; cd /kept; for each in ${files}; do echo first >$each; done
RUN --mount=type=cache,id=hands,target=/c <<END
while ! test -e /c/beside; do sleep 0.02; done
cd /kept; rm removed
for i in $(seq 40); do echo half >>file; sleep 0.02; done
ls /c/bound 2>/dev/null
for each in ${files}; do echo good >$each; done
chmod 644 mode
exec /probe give /c/socket /dev/null
END
FROM base AS beside
RUN --mount=type=cache,id=hands,target=/c touch /c/beside; exec /probe keep /c/socket /c/bound /c/stop >/c/said
FROM base AS mounts
RUN --mount=type=cache,id=hands,target=/c --mount=type=bind,from=source,source=/kept,target=/m <<END
cd /m; ${look}
touch /c/bound; while ! test -s /c/said; do sleep 0.02; done
${look}; cat /c/said; touch /c/stop
END
FROM base
COPY --from=source /kept /kept
COPY --from=mounts /probe /one
COPY --from=beside /probe /other
`;

/** Writes to the files of the stage in every way; when both have, says what it sees. */
const writer = (base: string, name: string, meet: string): string => `FROM ${base} AS ${name}
RUN --mount=type=cache,id=${meet},target=/c --mount=type=bind,from=source,source=/kept,target=/m,rw <<END
cd /m; exec 3>>file
echo ${name} >file; rm removed; mv here ${name}; chmod 777 mode; rm -r folder; mkdir made; echo ${name} >>link; echo ${name} >&3
touch /c/${name}; while ! test -e /c/one -a -e /c/two; do sleep 0.02; done
echo ${name}: * = $(cat file) = $(stat -c %a mode) >>/c/said
touch /c/done-${name} /done
END
`;

/** Two write to one stage side by side, a third one looks at it then, and so does a step of that stage. */
const writing = (base: string, meet: string): string => `FROM ${base} AS source
RUN mkdir -p /kept/folder; cd /kept; for each in ${files} folder/x; do echo good >$each; done; chmod 644 mode; ln -s file link
${writer(base, 'one', meet)}${writer(base, 'two', meet)}FROM ${base} AS three
RUN --mount=type=cache,id=${meet},target=/c --mount=type=bind,from=source,source=/kept,target=/m <<END
cd /m; while ! test -e /c/done-one -a -e /c/done-two; do sleep 0.02; done
sort /c/said; ${look}
{ echo x >file || rm here || chmod 777 mode || mkdir made; } 2>/dev/null && echo written
touch /done
END
FROM source
COPY --from=one /done /1
COPY --from=two /done /2
COPY --from=three /done /3
RUN cd /kept; ${look}
`;

for (const mode of modes) {
  describe(`mounts of another stage as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let cooper: Cooper;
    let base: string;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      ({ cooper, base } = await cooperWithBusybox(mode, cleanup));
      await compileProbe(cooper);
    });

    after(async () => cleanup?.disposeAsync());

    test('a stage that runs is mounted as it was when it had ended', { timeout: 120_000 }, async () => {
      const built = await cooper.built(['--no-cache', await cooper.context('look', { Dockerfile: running(base) })]);
      const all = seen('file here mode removed');
      const refused = ['make', 'remove', 'rename', 'mode', 'open'].map((what) => `${what}: EROFS\n`).join('');
      assert.equal(outputOf(built), `${all}${all}${refused}`);
    });

    for (const snapshotter of ['overlay', 'copy']) {
      test(`what a step writes to a mount of a stage is its own, by ${snapshotter}`, { timeout: 120_000 }, async () => {
        const env = { COOPER_SNAPSHOTTER: snapshotter };
        const context = await cooper.context('writing', { Dockerfile: writing(base, snapshotter) });
        const built = await cooper.built(['--no-cache', context], { env });
        const own = (name: string): string => `${name}: file link made mode ${name} = ${name} ${name} ${name} = 777\n`;
        const all = seen('file folder here link mode removed');
        assert.equal(outputOf(built), `${own('one')}${own('two')}${all}${all}`);
        const { digest } = await cooper.built(['--target', 'source', context], { env });
        const layer = [...(await lastLayer(cooper.root, digest)).values()];
        const kept = layer.filter(({ name, type }) => name.startsWith('kept/') && type === 'file').map(({ name, text }) => name + text);
        const good = ['file', 'folder/x', 'here', 'mode', 'removed'].map((name) => `kept/${name}good\n`);
        assert.deepEqual(kept.toSorted(), good);
      });
    }
  });
}
