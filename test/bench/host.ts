import { availableParallelism, cpus, totalmem } from 'node:os';
import { readFileSync } from 'node:fs';

/** What a figure must be read beside. */
export function hostFacts() {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? '',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: process.platform,
    loadAverage: loadAverage(),
  };
}

function loadAverage(): string {
  try {
    return readFileSync('/proc/loadavg', 'utf8').trim();
  } catch {
    return '';
  }
}

export function quantile(sorted: readonly number[], q: number): number {
  const at = Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1));
  return round(sorted[at] ?? Number.NaN);
}

export const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
export const rssMiB = (): number => Math.round(process.memoryUsage.rss() / 2 ** 20);
