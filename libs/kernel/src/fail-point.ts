/**
 * Named places where a crash test ends the process: before and after append, commit, dispatch and report.
 * Without a handler a fail point costs one comparison.
 */
export const FAIL_POINTS = [
  'append:before',
  'append:after',
  'commit:before',
  'commit:after',
  'dispatch:before',
  'dispatch:after',
  'report:before',
  'report:after',
] as const;
export type FailPoint = (typeof FAIL_POINTS)[number];

let handler: ((point: FailPoint) => void) | undefined;

export function onFailPoint(next: ((point: FailPoint) => void) | undefined): void {
  handler = next;
}

export function failPoint(point: FailPoint): void {
  if (handler !== undefined) handler(point);
}
