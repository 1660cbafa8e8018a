import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

/** How far apart two readings of one boot time may be where the system has no boot id. */
const TOLERANCE_MS = 60_000;

/** Names the machine's present run: what was written before it ended may be lost in part. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return `since:${Math.round(Date.now() - uptime() * 1_000)}`;
  }
}

export function isSameBoot(a: string, b: string): boolean {
  if (a === b) return true;
  if (!a.startsWith('since:') || !b.startsWith('since:')) return false;
  return Math.abs(Number(a.slice(6)) - Number(b.slice(6))) < TOLERANCE_MS;
}
