import { Inject, Injectable } from '@nestjs/common';
import type { EventStore, Position, ReadModels } from '@rondo/ports';
import type { RunFold, RunView } from '@rondo/projections';
import { EVENT_STORE, READ_MODELS } from '../options.ts';
import { invalid } from '../http/problem.ts';
import { instantOf } from '../http/schemas.ts';
import { Definitions } from './definitions.ts';
import { Timeline } from './timeline.ts';

const MAX_TIMELINES = 32;
const MAX_EVENTS = 500_000;

/** Answers from the history itself, up to any position. */
@Injectable()
export class RunHistory {
  private readonly timelines = new Map<string, Timeline>();

  constructor(
    @Inject(EVENT_STORE) private readonly eventStore: EventStore,
    @Inject(READ_MODELS) private readonly readModels: ReadModels,
    @Inject(Definitions) private readonly definitions: Definitions,
  ) {}

  /** I18: the position that an `asOf` means; a time by the store's own commit times. */
  async resolve(asOf: string): Promise<Position> {
    if (!/^\d+$/.test(asOf)) {
      const at = instantOf(asOf);
      if (at === undefined)
        throw wrongAsOf(asOf, 'a position of the history, or an ISO 8601 time such as 2026-03-14T07:30:00Z');
      return this.eventStore.positionAt(at);
    }
    const position = Number(asOf);
    const head = await this.eventStore.head();
    if (position > head) throw wrongAsOf(asOf, `at most ${head}, the history's last position`);
    return position;
  }

  viewAt(dagId: string, runId: string, position: Position): Promise<RunView | undefined> {
    return this.timeline(dagId, runId).viewAt(position);
  }

  foldAt(dagId: string, runId: string, position: Position): Promise<RunFold> {
    return this.timeline(dagId, runId).foldAt(position);
  }

  timeline(dagId: string, runId: string): Timeline {
    const key = `${dagId}:${runId}`;
    const timeline =
      this.timelines.get(key) ?? new Timeline(dagId, runId, this.eventStore, this.readModels, this.definitions);
    // The one used last goes last; the first is the first to be let go.
    this.timelines.delete(key);
    this.timelines.set(key, timeline);
    this.evict();
    return timeline;
  }

  private evict(): void {
    let events = 0;
    for (const timeline of this.timelines.values()) events += timeline.size;
    for (const [key, timeline] of this.timelines) {
      if ((this.timelines.size <= MAX_TIMELINES && events <= MAX_EVENTS) || this.timelines.size === 1) return;
      events -= timeline.size;
      this.timelines.delete(key);
    }
  }
}

function wrongAsOf(value: string, allowed: string): Error {
  return invalid([{ in: 'query', name: 'asOf', value, message: `'${value}' is not allowed: ${allowed}`, allowed }]);
}
