import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptRef } from '@rondo/domain';
import { appendAgain, type GatewayLine, type LogLine, type LogStore } from '@rondo/ports';
import { assignment, eventually } from '../../test/fixtures/harness.ts';
import { LogSpool, type LogSpoolOptions } from './log-spool.ts';

let folder: string;
let spool: LogSpool;
const notices: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rondo-spool-'));
  notices.length = 0;
});
afterEach(async () => {
  await spool.close(0);
  rmSync(folder, { recursive: true, force: true });
});

/** A gateway that stores lines, or is away. */
class Gateway {
  readonly stored: { readonly task: string; readonly text: string }[] = [];
  isAway = false;
  /** Stores so many lines of the next pieces, and answers none. */
  breaksAfter: number[] = [];
  /** Of all lines, for one that sends again. */
  readonly log: LogLine[] = [];
  /** Is away when it has so many. */
  most = Infinity;
  readonly line = {
    address: 'g',
    appendLog: async (attempt: AttemptRef, lines: readonly LogLine[], again = false) => {
      const { taskId } = attempt;
      await new Promise((resolve) => setTimeout(resolve, 2));
      if (this.isAway || this.stored.length >= this.most) throw new Error('away');
      const logs: Pick<LogStore, 'append' | 'read'> = {
        append: async (_attempt, fresh) => {
          const kept = fresh.slice(0, this.breaksAfter[0]);
          this.log.push(...kept);
          for (const { text } of kept) this.stored.push({ task: taskId, text });
        },
        read: async (_attempt, from = 0) => ({ lines: this.log.slice(from), next: this.log.length }),
      };
      await (again ? appendAgain(logs, attempt, lines) : logs.append(attempt, lines));
      if (this.breaksAfter.shift() !== undefined) throw new Error('the connection is gone');
    },
  } as Partial<GatewayLine> as GatewayLine;

  textsOf(task: string): string[] {
    return this.stored.filter((one) => one.task === task).map(({ text }) => text);
  }
}

function open(gateways: readonly Gateway[], options: Partial<LogSpoolOptions> = {}): LogSpool {
  const lines = (): GatewayLine[] => gateways.map(({ line }) => line);
  spool = new LogSpool({ folder, lines, onNotice: (text) => notices.push(text), ...options });
  spool.start();
  return spool;
}

const attempt = (task: string): AttemptRef => assignment(task).attempt;
const said = (...texts: readonly string[]): LogLine[] => texts.map((text) => ({ at: 1, stream: 'stdout', text }));
const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `line ${i}`);

describe('the spool of logs', () => {
  it('has the lines stored, in order, and keeps nothing', async () => {
    const gateway = new Gateway();
    open([gateway]);
    const texts = numbers(50);
    const appended = texts.map((text, i) => spool.append(attempt(`t${i % 3}`), said(text)));
    await Promise.all(appended);
    expect(gateway.stored).toHaveLength(50);
    for (const n of [0, 1, 2]) expect(gateway.textsOf(`t${n}`)).toEqual(texts.filter((_, i) => i % 3 === n));
    expect(spool.bytes).toBe(0);
    await eventually(() => readdirSync(folder).length === 0);
  });

  it('takes another gateway when one is away', async () => {
    const [a, b] = [new Gateway(), new Gateway()];
    a.isAway = true;
    open([a, b]);
    await spool.append(attempt('t'), said('x'));
    expect(b.textsOf('t')).toEqual(['x']);
    expect(notices).toEqual([]);
  });

  it('keeps lines while all are away, and does not keep the attempt waiting', async () => {
    const gateway = new Gateway();
    gateway.isAway = true;
    open([gateway]);
    await spool.append(attempt('t'), said('x'));
    await spool.append(attempt('t'), said('y'));
    expect(gateway.stored).toEqual([]);
    gateway.isAway = false;
    await eventually(() => spool.bytes === 0);
    expect(gateway.textsOf('t')).toEqual(['x', 'y']);
    expect(notices).toEqual(['no gateway takes logs, which wait here: Error: away']);
  });

  it('sends what an earlier process has left, but for a line that was cut', async () => {
    const away = new Gateway();
    away.isAway = true;
    await open([away]).append(attempt('t'), said('x'));
    await spool.close(0);
    const [file] = readdirSync(folder);
    writeFileSync(join(folder, file!), '{"at":2,"stream":"std', { flag: 'a' });
    writeFileSync(join(folder, 'other.jsonl'), 'no log');
    const gateway = new Gateway();
    open([gateway]);
    await spool.append(attempt('t'), said('y'));
    expect(gateway.textsOf('t')).toEqual(['x', 'y']);
    expect(notices.at(-1)).toContain('other.jsonl is no log');
    await eventually(() => readdirSync(folder).length === 0);
  });

  it('goes on where it was, in pieces', async () => {
    const gateway = new Gateway();
    const long = numbers(3).map((text) => text.padEnd(200_000, '.'));
    gateway.isAway = true;
    await open([gateway]).append(attempt('t'), said(...long));
    gateway.most = 1;
    gateway.isAway = false;
    await eventually(() =>
      readdirSync(folder).some((name) => name.endsWith('.sent') && statSync(join(folder, name)).size > 0),
    );
    await spool.close(0);
    const other = new Gateway();
    open([other]);
    await eventually(() => spool.bytes === 0);
    const texts = [...gateway.textsOf('t'), ...other.textsOf('t')];
    expect(texts.map((text) => text.slice(0, 6))).toEqual(['line 0', 'line 1', 'line 2']);
  });

  it('has each line once when answers are lost, by the same process and by one that comes after it', async () => {
    const gateway = new Gateway();
    const texts = numbers(40).map((text) => text.padEnd(20_000, '.'));
    gateway.isAway = true;
    await open([gateway]).append(attempt('t'), said(...texts.slice(0, 30)));
    gateway.breaksAfter = [0, 5, 100, 7];
    gateway.isAway = false;
    await eventually(() => gateway.breaksAfter.length <= 1);
    await spool.close(0);
    open([gateway]);
    await spool.append(attempt('t'), said(...texts.slice(30)));
    await eventually(() => spool.bytes === 0);
    expect(gateway.textsOf('t')).toEqual(texts);
    // Another file of the same attempt is not taken for the first.
    await eventually(() => readdirSync(folder).length === 0);
    gateway.breaksAfter = [1];
    await spool.append(attempt('t'), said(texts[0]!));
    await eventually(() => spool.bytes === 0);
    expect(gateway.textsOf('t')).toEqual([...texts, texts[0]]);
  });

  it('drops lines where the disk has no room for more, and says so in the log', async () => {
    const gateway = new Gateway();
    gateway.isAway = true;
    open([gateway], { maxBytes: 100 });
    const appended = [said('x'.repeat(200)), said('lost'), said('lost too')].map((lines) =>
      spool.append(attempt('t'), lines),
    );
    await Promise.all(appended);
    gateway.isAway = false;
    await eventually(() => spool.bytes === 0);
    await spool.append(attempt('t'), said('after'));
    const texts = gateway.textsOf('t');
    expect(texts).toHaveLength(3);
    expect(texts[1]).toBe('Lines are missing here: 100 bytes of logs wait for a gateway already');
    expect(texts[2]).toBe('after');
  });
});
