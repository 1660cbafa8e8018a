/** Milliseconds of the machine's monotonic clock: the same in every process, and on while one stands still. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
