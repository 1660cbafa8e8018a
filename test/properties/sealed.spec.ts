/** Sealed histories: what is erased decides nothing, and what is sealed comes back as it was, or not at all. */
import { createHash, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { secretBox } from '@rondo/adapter-embedded';
import { changePlaces, erasedValue, keyIdOf, RunKeyring, sealedEventStore } from '@rondo/application';
import type { DagRunEvent } from '@rondo/domain';
import type { EventStore, RecordedEvent } from '@rondo/ports';
import { memoryEventStore, memoryRunKeys, RunHarness, statesOf, viewOf } from '@rondo/testing';
import { effort, seed } from './effort.ts';
import { scenarios, type Scenario } from './scenario.ts';

function erased(event: DagRunEvent): DagRunEvent {
  const copy = structuredClone(event);
  changePlaces(copy.type, copy.data, (_value, kind) => erasedValue(kind));
  return copy;
}

/** Some of a run's life: reports, time, and a clear here and there. */
function live({ definition, window, outcomeOf }: Scenario, dice: readonly number[]): readonly DagRunEvent[] {
  const harness = new RunHarness(definition, { window });
  harness.start();
  for (const die of dice) {
    const open = harness.openInstances;
    const chosen = open[die % Math.max(1, open.length)];
    if (harness.run.state === 'queued') harness.resume();
    else if (die % 7 === 0)
      void harness.clearSelection({ taskIds: [definition.tasks[die % definition.tasks.length]!.taskId] });
    else if (chosen !== undefined) {
      const { taskId } = chosen.task.def;
      const attempt = harness.attempt(taskId);
      void harness.report(harness.endReport(taskId, outcomeOf(attempt), attempt));
    } else harness.later(60_000);
  }
  return harness.history;
}

/** The view without the values themselves. */
function decided(definition: Scenario['definition'], history: readonly DagRunEvent[]): unknown {
  const { run } = new RunHarness(definition, { history });
  const { state, open, callbacks, counts, sizes } = viewOf(run) as ReturnType<typeof viewOf> & {
    readonly open: number;
    readonly callbacks: number;
  };
  const tries = Object.entries(viewOf(run).instances).map(([name, { tryNumber, leg, lengths, wakeAt }]) => ({
    ...{ name, tryNumber, leg, lengths, wakeAt },
  }));
  return { state, open, callbacks, counts, sizes, tries, states: statesOf(run) };
}

const EVENTS = [
  'TaskSucceeded',
  'TaskFailed',
  'TaskDeferred',
  'TaskSkipped',
  'RunRequested',
  'XComSet',
  'AssetUpdated',
];

/** Words that nothing else has. */
const word = fc.nat().map((n) => `word-${createHash('sha256').update(String(n)).digest('hex').slice(0, 12)}`);
const value = fc.oneof(word, fc.array(word, { minLength: 1 }), fc.dictionary(fc.string(), word, { minKeys: 1 }));
const text = word;
const data = fc.record(
  {
    taskId: fc.constantFrom('a', 'b'),
    at: fc.nat(),
    conf: value,
    note: text,
    reason: text,
    name: text,
    xcoms: fc.dictionary(fc.string(), fc.record({ value })),
    rendered: fc.dictionary(fc.string(), value),
    extra: value,
    value: fc.record({ value }),
    error: fc.record({ kind: fc.constant('exception'), message: text, logTail: fc.array(text) }),
    waitFor: fc.record({ kind: fc.constant('poll'), args: value, request: fc.record({ conf: value }) }),
    assets: fc.array(fc.record({ name: fc.constant('list'), extra: value })),
  },
  { requiredKeys: ['taskId', 'at'] },
);

describe(`properties of sealed runs (RONDO_SEED=${seed})`, () => {
  it('an erased history folds to what the whole one does', () => {
    const property = fc.property(scenarios(10), fc.array(fc.nat(10_000), { maxLength: 40 }), (scenario, dice) => {
      const history = live(scenario, dice);
      expect(decided(scenario.definition, history.map(erased))).toEqual(decided(scenario.definition, history));
    });
    fc.assert(property, { numRuns: 150 * effort, seed });
  });

  it('what is sealed is nowhere in the store, comes back as it was, and is gone with its key', async () => {
    const property = fc.asyncProperty(
      fc.constantFrom(...EVENTS),
      fc.array(data, { minLength: 1 }),
      async (type, all) => {
        const below = memoryEventStore();
        const ring = new RunKeyring(memoryRunKeys(), secretBox(Buffer.alloc(32, 3)));
        const store = sealedEventStore(below, ring);
        const id = keyIdOf('d', 'r');
        const events = all.map((each) => ({
          ...{ id: randomUUID(), type, data: JSON.stringify(each), meta: '{"at":1}', seal: id },
        }));
        await store.append([{ stream: 's', expected: 'any', events }]);
        expect((await read(store)).map(parsed)).toEqual(events.map(parsed));
        const stored = (await read(below)).map(parsed);
        await ring.delete(id);
        const gone = (await read(store)).map(parsed);
        for (const [at, event] of events.entries()) {
          const whole = parsed(event);
          changePlaces(type, whole, (_held, kind) => erasedValue(kind));
          expect(words(stored[at])).toEqual(words(whole));
          expect(gone[at]).toEqual(whole);
        }
      },
    );
    await fc.assert(property, { numRuns: 100 * effort, seed });
  });
});

const parsed = ({ data: held }: { readonly data: string }): unknown => JSON.parse(held);
const words = (held: unknown): string[] => JSON.stringify(held).match(/word-\w{12}/g) ?? [];

async function read(from: Pick<EventStore, 'readStream'>): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const page of from.readStream('s')) events.push(...page);
  return events;
}
