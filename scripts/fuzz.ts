// `npm run fuzz [-- ROUNDS [SEED]]`: changes Dockerfiles and words at random and sees that the grammar takes whatever comes out. CI does the
// same 10,000 times; this does it a million times, in some minutes. A failure says its seed and round, and shows the text.

import { fuzzFiles, fuzzWords } from '../test/grammar/fuzz.ts';

const [rounds = 1_000_000, seed = Date.now() % 2 ** 32] = process.argv.slice(2).map(Number);
if (!Number.isInteger(rounds) || !Number.isInteger(seed)) throw new Error('rounds and seed are whole numbers');

/** Rounds between two lines of progress. Each part has a seed of its own. */
const part = 10_000;
for (let done = 0; done < rounds; done += part) {
  const count = Math.min(part, rounds - done);
  fuzzFiles(seed + done, count);
  fuzzWords(seed + done, count);
  process.stderr.write(`fuzz: ${done + count} files and words, seed ${seed}\n`);
}
