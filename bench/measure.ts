/** One of the things that are compared. `run` does it once; `round` is for names that must be fresh each time. */
export interface Contender {
  readonly name: string;
  readonly run: (round: number) => void | Promise<void>;
  /** What one run is divided by: steps in it. 1 unless said. */
  readonly per?: number;
}

export interface Measured {
  readonly name: string;
  /** One for each round, in milliseconds, in the order measured. */
  readonly samplesMs: readonly number[];
}

/**
 * Runs the contenders in turn, round for round, so that what else the machine does hits them alike; every other round goes backwards, so
 * that none is always the one after another. The first `warmUps` rounds do not count.
 */
export async function measure(contenders: readonly Contender[], { rounds, warmUps = 1 }: Rounds): Promise<readonly Measured[]> {
  const samples = new Map<Contender, number[]>(contenders.map((contender) => [contender, []]));
  for (let round = 0; round < warmUps + rounds; round++) {
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const ms = await timed(contender, round);
      if (round >= warmUps) samples.get(contender)?.push(ms);
    }
  }
  return contenders.map((contender) => ({ name: contender.name, samplesMs: samples.get(contender) ?? [] }));
}

export interface Rounds {
  readonly rounds: number;
  readonly warmUps?: number;
}

async function timed({ run, per = 1 }: Contender, round: number): Promise<number> {
  const start = performance.now();
  await run(round);
  return (performance.now() - start) / per;
}

/** The middle sample, and between which samples the middle half lies. */
export interface Summary {
  readonly medianMs: number;
  readonly lowMs: number;
  readonly highMs: number;
  readonly leastMs: number;
}

export function summarize(samplesMs: readonly number[]): Summary {
  const sorted = samplesMs.toSorted((a, b) => a - b);
  return { medianMs: quantile(sorted, 0.5), lowMs: quantile(sorted, 0.25), highMs: quantile(sorted, 0.75), leastMs: quantile(sorted, 0) };
}

/** Between the two nearest samples, in proportion. */
function quantile(sorted: readonly number[], at: number): number {
  const place = (sorted.length - 1) * at;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}
