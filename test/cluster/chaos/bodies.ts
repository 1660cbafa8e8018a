import { readFile } from 'node:fs/promises';

/** A line that a body writes to a file outside the platform. `at`: epoch milliseconds, fractions told apart. */
export interface BodyLine {
  readonly what: 'begin' | 'tick' | 'end';
  /** The attempt. */
  readonly id: string;
  readonly at: number;
}

/** A body says so often that it is alive. */
const TICK_MS = 50;

/** A DAG of mapped bodies that say when they begin, that they are alive, and when they end. */
export function chaosDag(options: { readonly log: string; readonly tasks: number; readonly bodyMs: number }): string {
  const { log, tasks, bodyMs } = options;
  return `import { appendFileSync } from 'node:fs';
import { Dag, task } from '@rondo/sdk';

const say = (what: string, id: string) =>
  appendFileSync(${JSON.stringify(log)}, JSON.stringify({ what, id, at: performance.timeOrigin + performance.now() }) + '\\n');
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export default new Dag({ id: 'chaos', maxActiveTasks: ${tasks}, maxActiveRuns: 100, isPausedUponCreation: false }, () => {
  const body = task('body', async (ctx, n: number) => {
    const id = ctx.ti.attemptId;
    const until = performance.now() + ${bodyMs} * (0.5 + ((n * 7919) % 100) / 100);
    say('begin', id);
    while (performance.now() < until) {
      await sleep(${TICK_MS});
      say('tick', id);
    }
    say('end', id);
    return n;
  }, { retries: 2, retryDelay: '1s', maxLostAttempts: 20 });
  const sum = task('sum', (_ctx, all: readonly number[]) => all.reduce((a, b) => a + b, 0));
  sum(body.expand(Array.from({ length: ${tasks} }, (_, i) => i)));
});
`;
}

export async function readBodies(file: string): Promise<readonly BodyLine[]> {
  const text = await readFile(file, 'utf8');
  return text.split('\n').flatMap((line) => (line.endsWith('}') ? [JSON.parse(line) as BodyLine] : []));
}

export interface BodyFault {
  readonly kind: 'overlap' | 'twice';
  readonly message: string;
}

interface Span {
  readonly id: string;
  begin: number;
  last: number;
  ended: boolean;
}

/** `chaos:run:body[7]:1.2` → `chaos:run:body[7]`. */
const instanceOf = (id: string): string => id.slice(0, id.lastIndexOf(':'));

/**
 * Two attempts of one task at once; one attempt begun twice. Attempts after one that ended are counted, not judged: its result
 * may have been lost with its worker.
 */
export function bodyFaults(lines: readonly BodyLine[]): {
  readonly faults: readonly BodyFault[];
  readonly again: number;
} {
  const faults: BodyFault[] = [];
  const spans = new Map<string, Span>();
  for (const { what, id, at } of lines) {
    const known = spans.get(id);
    if (what === 'begin' && known !== undefined)
      faults.push({ kind: 'twice', message: `${id} began at ${known.begin} and at ${at}` });
    else if (known === undefined) spans.set(id, { id, begin: at, last: at, ended: what === 'end' });
    else {
      known.last = Math.max(known.last, at);
      known.ended ||= what === 'end';
    }
  }
  let again = 0;
  for (const attempts of Map.groupBy(spans.values(), ({ id }) => instanceOf(id)).values()) {
    const inOrder = attempts.toSorted((a, b) => a.begin - b.begin);
    for (const [i, next] of inOrder.entries()) {
      const before = inOrder[i - 1];
      if (before === undefined) continue;
      if (before.ended) again++;
      if (next.begin < before.last)
        faults.push({
          kind: 'overlap',
          message: `${next.id} began at ${next.begin}, ${(before.last - next.begin).toFixed(1)} ms before the last sign of ${before.id}`,
        });
    }
  }
  return { faults, again };
}
