import { type ChainID, type DiffID, digestOf } from './digest.ts';

/** Names the filesystem that diffIDs give, base layer first. Source: OCI image-spec, config.md, "Layer ChainID". */
export function chainID(diffIDs: readonly [DiffID, ...DiffID[]]): ChainID {
  const [base, ...rest] = diffIDs;
  return rest.reduce<string>((below, diffID) => digestOf(`${below} ${diffID}`), base) as ChainID;
}
