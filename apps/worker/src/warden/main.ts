/**
 * A small process beside a worker, told over stdin of its children and their leases (I3). It kills what runs beyond its lease,
 * which a worker that stands still cannot, and everything when the worker is gone: its end of the pipe is closed then.
 */
import { monotonicMs } from '../monotonic.ts';
import { endBearers, isStillThere, signalGroup } from '../pool/processes.ts';
import { Wards, type Ward, type WardenMessage } from './wards.ts';

/** In the environment of all that the worker starts. */
const token = process.argv[2]!;
const wards = new Wards();
let timer: NodeJS.Timeout | undefined;
let rest = '';

// What ends a worker's session or terminal is not to end its warden before it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.stdin.setEncoding('utf8');
process.stdin.on('data', (text: string) => {
  const lines = (rest + text).split('\n');
  rest = lines.pop()!;
  for (const line of lines) wards.apply(JSON.parse(line) as WardenMessage);
  watch();
});
process.stdin.on('error', () => undefined);
process.stdin.on('close', () => {
  for (const ward of wards.all()) end(ward);
  endBearers(token);
  process.exit();
});

function watch(): void {
  clearTimeout(timer);
  const now = monotonicMs();
  for (const ward of wards.takeDue(now)) {
    end(ward);
    if (ward.mark !== '') endBearers(ward.mark);
  }
  const next = wards.nextAt();
  // A timer is limited to 24 days.
  if (next < Infinity) timer = setTimeout(watch, Math.min(next - now, 86_400_000));
}

function end(ward: Ward): void {
  if (isStillThere(ward)) signalGroup(ward.pid, 'SIGKILL');
}
