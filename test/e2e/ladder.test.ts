import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeCooper } from '../support/cooper.ts';
import { whyNotRootless } from '../support/rootless.ts';
import { type Situation, situations } from '../support/situations.ts';

// Each place where cooper may have to run, made on the spot: what it finds there, and what works. docs/modes.md has the table.

const reason = await whyNotRootless();

/** What `doctor` has to say of the rungs above: the rung, and words of the reason. */
const downgrades: Readonly<Record<keyof typeof situations, readonly (readonly [string, RegExp])[]>> = {
  root: [],
  rootless: [['root', /not root/]],
  stranger: [
    ['root', /not root/],
    ['rootless', /no range of 65536 ids/],
  ],
  pod: [['root', /root of a user namespace/]],
  smallNamespace: [
    ['root', /root of a user namespace/],
    ['pod', /has 1 of 65536 ids/],
  ],
  noSeccomp: [['root', /right to mount/]],
  container: [
    ['root', /right to mount/],
    ['pod', /refuses user namespaces/],
  ],
  confined: [
    ['root', /not root/],
    ['rootless', /no range/],
    ['single-id', /refuses user namespaces/],
  ],
  noNewPrivileges: [
    ['root', /not root/],
    ['rootless', /newuidmap.*no_new_privs is on/],
  ],
  nosuid: [
    ['root', /not root/],
    ['rootless', /newuidmap.*mount with nosuid/],
  ],
  coveredProc: [['root', /not root/]],
};

for (const [key, situation] of Object.entries(situations) as [keyof typeof situations, Situation][]) {
  describe(situation.name, { concurrency: false, skip: reason ?? false }, () => {
    test('doctor names the rung, and what refused those above', async () => {
      await using installation = await situation.install();
      await using cooper = await makeCooper(installation);
      const report = JSON.parse(await cooper.ok(['doctor', '--json']));
      assert.equal(report.mode, situation.mode, JSON.stringify(report.downgrades));
      const rungs = report.downgrades.map(({ rung }: { rung: string }) => rung);
      assert.deepEqual(
        rungs,
        downgrades[key].map(([rung]) => rung),
      );
      for (const [at, [, words]] of downgrades[key].entries()) assert.match(report.downgrades[at].reason, words);
    });
  });
}
