import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { AppendOutcome, AppendRequest, EventStore, ExpectedRevision } from '@rondo/ports';
import { memoryEventStore } from '@rondo/testing';
import { openEmbeddedEventStore, type EmbeddedEventStore } from './open.ts';

let folder: string;
let store: EmbeddedEventStore;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rondo-model-'));
  store = await openEmbeddedEventStore({ folder });
});
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const expected: fc.Arbitrary<ExpectedRevision> = fc.oneof(
  fc.integer({ min: 0, max: 6 }),
  fc.constantFrom('noStream' as const, 'any' as const),
);
const request = fc.record({
  stream: fc.constantFrom('a', 'b', 'c'),
  expected,
  ids: fc.uniqueArray(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 3 }),
});
/** Calls made without waiting for each other, in several turns. */
const turns = fc.array(fc.array(fc.array(request, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 6,
});

/** What happened, with positions counted from the start of the run. */
async function play(
  target: EventStore,
  prefix: string,
  script: readonly (readonly (readonly { stream: string; expected: ExpectedRevision; ids: number[] }[])[])[],
): Promise<unknown> {
  const base = await target.head();
  const outcomes: AppendOutcome[] = [];
  for (const turn of script) {
    const calls = turn.map((chain) =>
      target.append(
        chain.map(({ stream, expected: revision, ids }): AppendRequest => ({
          stream: prefix + stream,
          expected: revision,
          events: ids.map((id) => ({ id: `${prefix}${id}`, type: `T${id}`, data: `{"id":${id}}`, meta: '{}' })),
        })),
      ),
    );
    for (const each of await Promise.all(calls)) outcomes.push(...each);
  }
  const events: unknown[] = [];
  for await (const page of target.readAll(base)) {
    for (const e of page)
      events.push([
        e.position - base,
        e.stream.slice(prefix.length),
        e.revision,
        e.type,
        e.data,
        e.meta === '{"prev":""}',
      ]);
  }
  const relative = outcomes.map((o) =>
    o.ok ? { ...o, position: o.position - base } : { ...o, stream: o.stream.slice(prefix.length) },
  );
  return {
    relative,
    events,
    heads: (await target.listStreams(prefix)).map((h) => [h.stream.slice(prefix.length), h.revision]),
  };
}

describe('the embedded event store', () => {
  let run = 0;

  it('does with any calls what the store in memory does', async () => {
    await fc.assert(
      fc.asyncProperty(turns, async (script) => {
        const prefix = `run${(run += 1)}-`;
        expect(await play(store, prefix, script)).toEqual(await play(memoryEventStore(), prefix, script));
      }),
      { numRuns: 60 },
    );
  });
});
