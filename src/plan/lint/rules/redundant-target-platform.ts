import type { Rule } from '../rule.ts';

export const redundantTargetPlatform: Rule = {
  name: 'RedundantTargetPlatform',
  description: 'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
  url: 'https://docs.docker.com/go/dockerfile/rule/redundant-target-platform/',
  from({ from, platform, targetPlatform = '' }, report) {
    if (!platform || platform.unset.length > 0 || platform.used.size !== 1 || !platform.used.has('TARGETPLATFORM')) return;
    if (platform.text !== targetPlatform) return;
    const written = from.flags.find(({ name }) => name === 'platform')?.value ?? '';
    report(`Setting platform to predefined ${written} in FROM is redundant as this is the default behavior`, from.lines);
  },
};
