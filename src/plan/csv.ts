export { parseCsvLine } from '../../grammar/csv.ts';
