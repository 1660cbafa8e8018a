import Table from 'cli-table3';
import { formatDuration } from '@rondo/kernel';

export type Cell = string | number | boolean | null | undefined;

const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** Columns for people: a head, then the rows; nothing but text, so that it may be cut and searched. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const drawn = new Table({
    head: [...head],
    chars: NO_BORDERS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) drawn.push(row.map(text));
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** `name  value` lines; those without a value are left out. */
export function facts(pairs: readonly (readonly [name: string, value: Cell])[]): string {
  const given = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '');
  const width = Math.max(0, ...given.map(([name]) => name.length));
  return given.map(([name, value]) => `${name.padEnd(width)}  ${text(value)}`).join('\n');
}

const text = (cell: Cell): string => {
  if (cell === null || cell === undefined || cell === '') return '-';
  return typeof cell === 'boolean' ? (cell ? 'yes' : 'no') : String(cell);
};

/** `2026-03-14 07:43:06Z`, in UTC. */
export const time = (millis: number | null | undefined): string | null =>
  millis === null || millis === undefined ? null : `${new Date(millis).toISOString().slice(0, 19).replace('T', ' ')}Z`;

/** From start to end, or until now. */
export const duration = (start: number | null, end: number | null, now: number): string | null =>
  start === null ? null : formatDuration(Math.max(0, (end ?? now) - start));

/** On one line, cut. */
export function brief(value: string | null | undefined, width = 80): string | null {
  if (value === null || value === undefined) return null;
  const line = value.replaceAll(/\s+/g, ' ').trim();
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}
