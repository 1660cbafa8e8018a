import { createHash } from 'node:crypto';

const MAX_LENGTH = 180;

/** A name as one part of a path: nothing in it can leave the folder, and no two names give the same part. */
export function pathPart(name: string): string {
  const escaped = encodeURIComponent(name.toWellFormed()).replace(/^\./, '%2E').replaceAll('*', '%2A');
  if (escaped === '') return '%';
  if (escaped.length <= MAX_LENGTH) return escaped;
  const hash = createHash('sha256').update(name).digest('hex');
  return `${escaped.slice(0, MAX_LENGTH - 33)}~~${hash.slice(0, 31)}`;
}
