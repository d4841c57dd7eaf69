export { parseDuration } from '../../grammar/duration.ts';
