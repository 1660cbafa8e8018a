import type { EventStore, RecordedEvent, RowSource } from '@rondo/ports';

/** The events of a run in its stream. */
export function runEventsIn(events: Pick<EventStore, 'readStream'>): RowSource['runEvents'] {
  return async (dagId, runId, upTo) => {
    const all: RecordedEvent[] = [];
    for await (const page of events.readStream(`dagRun-${dagId}:${runId}`, { upTo })) all.push(...page);
    return all;
  };
}
