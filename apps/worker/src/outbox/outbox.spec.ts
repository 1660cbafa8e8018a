import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Outbox } from './outbox.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rondo-outbox-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (compactBytes?: number): Outbox =>
  new Outbox({ folder, isFresh: true, token: 't', ...(compactBytes === undefined ? {} : { compactBytes }) });
const report = (id: string): string => JSON.stringify({ kind: 'finished', id });

describe('an outbox', () => {
  it('remembers, whenever the process ends, what was committed', () => {
    const step = fc.record({
      what: fc.constantFrom('begin', 'finish', 'acknowledge', 'child', 'gone', 'reopen'),
      id: fc.nat(6),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(64, 100_000), (steps, compactBytes) => {
        rmSync(folder, { recursive: true, force: true });
        const begun = new Set<string>();
        const finished = new Set<string>();
        const groups = new Set<number>();
        let outbox = open(compactBytes);
        for (const { what, id: number } of steps) {
          const id = `d:r:a:${number}.1`;
          if (what === 'begin') outbox.begin((begun.add(id), id));
          if (what === 'finish')
            outbox.finish((begun.delete(id), finished.delete(id), finished.add(id), id), report(id));
          if (what === 'acknowledge') outbox.acknowledge((begun.delete(id), finished.delete(id), [id]));
          if (what === 'child') outbox.childStarted((groups.add(number + 100), { pid: number + 100, start: '1' }));
          if (what === 'gone') outbox.childEnded((groups.delete(number + 100), number + 100));
          outbox.commit();
          if (what !== 'reopen') continue;
          outbox = open(compactBytes);
          expect([...outbox.interrupted].sort()).toEqual([...begun].sort());
          expect([...outbox.unacknowledged()].sort()).toEqual([...finished].map(report).sort());
          expect(outbox.leftBehind.groups.map(({ pid }) => pid).sort()).toEqual([...groups].sort());
          expect(outbox.isIntact).toBe(true);
          groups.clear();
        }
      }),
      { numRuns: 60 },
    );
  });

  it('stays small', () => {
    const outbox = open(10_000);
    for (let i = 0; i < 2_000; i++) {
      outbox.begin(`a${i}`);
      outbox.finish(`a${i}`, report(`a${i}`));
      outbox.commit();
      outbox.acknowledge([`a${i}`]);
    }
    expect(statSync(join(folder, 'journal')).size).toBeLessThan(20_000);
  });
});

describe('reports of sealed runs', () => {
  const journal = (): string => readFileSync(join(folder, 'journal'), 'utf8');

  it('are gone from the file once they are acknowledged, and those of others stay until it is compacted', () => {
    const outbox = open();
    outbox.finish('plain', '{"of":"Bob"}');
    outbox.finish('sealed', '{"of":"Ada"}', true);
    outbox.finish('kept', '{"of":"Cleo"}', true);
    outbox.commit();
    expect(journal()).toContain('Ada');
    expect(outbox.acknowledge(['plain'])).toBe(false);
    outbox.commit();
    expect(journal()).toContain('Bob');
    expect(outbox.acknowledge(['sealed'])).toBe(true);
    outbox.commit();
    expect(journal()).not.toContain('Ada');
    expect([...outbox.unacknowledged()]).toEqual(['{"of":"Cleo"}']);
    outbox.close();
    expect([...open().unacknowledged()]).toEqual(['{"of":"Cleo"}']);
  });

  it('are gone too when a process that did not know them as such acknowledges them', () => {
    const before = open();
    before.finish('sealed', '{"of":"Ada"}', true);
    before.close();
    const outbox = open();
    expect(outbox.acknowledge(['sealed'])).toBe(true);
    outbox.commit();
    expect(journal()).not.toContain('Ada');
    outbox.close();
  });
});
