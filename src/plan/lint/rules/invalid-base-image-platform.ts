import { formatPlatform, normalizePlatform } from '../../../oci/platform.ts';
import { quote } from '../../go-format.ts';
import type { Rule } from '../rule.ts';

export const invalidBaseImagePlatform: Rule = {
  name: 'InvalidBaseImagePlatform',
  description: 'Base image platform does not match expected target platform',
  base({ name, expected, actual: { os = '', architecture = '', variant }, lines }, report) {
    if (expected.os === os && expected.architecture === architecture) return;
    const actual = normalizePlatform({ os, architecture, ...(variant && { variant }) });
    const [pulled, wanted] = [quote(formatPlatform(actual)), quote(formatPlatform(normalizePlatform(expected)))];
    report(`Base image ${name} was pulled with platform ${pulled}, expected ${wanted} for current build`, lines);
  },
};
