/** The id of a cache mount as the user wrote it, or its target: the key without the `/` behind an empty namespace (BUILDKIT_CACHE_MOUNT_NS). */
export const mountID = (key: string): string => (key.startsWith('/') ? key.slice(1) : key);

/** Whether somebody who writes `wanted` means the cache mount of this key. */
export const isMountID = (key: string, wanted: string): boolean => mountID(key) === wanted || key === wanted;
