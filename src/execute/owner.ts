/**
 * Whether an owner (`user`, `uid:gid`, `user:gid`, …) is looked up in the filesystem's own passwd and group: their bytes must be on disk then.
 * Numbers are what they are.
 */
export const namesSomeone = (owner: string | undefined): boolean => /[^\d:]/.test(owner ?? '');
