import type {
  AssetAliasEvent,
  AssetEvent,
  ConnectionEvent,
  DagEvent,
  DagRunEvent,
  ImportEvent,
  PoolEvent,
  VariableEvent,
} from '@rondo/domain';
import { needKnownEvent } from '@rondo/domain';
import type { RecordedEvent, StreamFilter } from '@rondo/ports';

/** The streams that rows are made of. */
export const PROJECTED_STREAMS = {
  streamPrefixes: ['dag-', 'dagRun-', 'imports-', 'variable-', 'connection-', 'pool-', 'asset-', 'assetAlias-'],
} as const satisfies StreamFilter;

export type DecodedEvent =
  | { readonly kind: 'dag'; readonly dagId: string; readonly event: DagEvent; readonly recorded: RecordedEvent }
  | {
      readonly kind: 'run';
      readonly dagId: string;
      readonly runId: string;
      readonly event: DagRunEvent;
      readonly recorded: RecordedEvent;
    }
  | { readonly kind: 'import'; readonly event: ImportEvent; readonly recorded: RecordedEvent }
  | { readonly kind: 'variable'; readonly event: VariableEvent; readonly recorded: RecordedEvent }
  | { readonly kind: 'connection'; readonly event: ConnectionEvent; readonly recorded: RecordedEvent }
  | { readonly kind: 'pool'; readonly event: PoolEvent; readonly recorded: RecordedEvent }
  | { readonly kind: 'asset'; readonly event: AssetEvent; readonly recorded: RecordedEvent }
  | { readonly kind: 'assetAlias'; readonly event: AssetAliasEvent; readonly recorded: RecordedEvent };

/** Undefined for a stream that no row is made of. */
export function decodeEvent(recorded: RecordedEvent): DecodedEvent | undefined {
  const { stream } = recorded;
  if (stream.startsWith('dagRun-') || stream.startsWith('dag-'))
    needKnownEvent(stream, recorded.revision, recorded.type);
  if (stream.startsWith('dagRun-')) {
    // A DAG id has no colon; a run id may.
    const colon = stream.indexOf(':');
    if (colon < 0)
      throw new Error(`stream '${stream}' at position ${recorded.position} names no run: dagRun-{dagId}:{runId}`);
    return {
      kind: 'run',
      dagId: stream.slice(7, colon),
      runId: stream.slice(colon + 1),
      event: bodyOf<DagRunEvent>(recorded),
      recorded,
    };
  }
  if (stream.startsWith('dag-'))
    return { kind: 'dag', dagId: stream.slice(4), event: bodyOf<DagEvent>(recorded), recorded };
  if (stream.startsWith('imports-')) return { kind: 'import', event: bodyOf<ImportEvent>(recorded), recorded };
  if (stream.startsWith('variable-')) return { kind: 'variable', event: bodyOf<VariableEvent>(recorded), recorded };
  if (stream.startsWith('connection-'))
    return { kind: 'connection', event: bodyOf<ConnectionEvent>(recorded), recorded };
  if (stream.startsWith('pool-')) return { kind: 'pool', event: bodyOf<PoolEvent>(recorded), recorded };
  if (stream.startsWith('asset-')) return { kind: 'asset', event: bodyOf<AssetEvent>(recorded), recorded };
  if (stream.startsWith('assetAlias-'))
    return { kind: 'assetAlias', event: bodyOf<AssetAliasEvent>(recorded), recorded };
  return undefined;
}

function bodyOf<Event extends { readonly type: string; readonly data: unknown }>(recorded: RecordedEvent): Event {
  const data: unknown = JSON.parse(recorded.data);
  return { type: recorded.type, data } as Event;
}

/** When the event occurred (epoch milliseconds), from its metadata; 0 where the metadata does not say. */
export function occurredAt(recorded: RecordedEvent): number {
  const { at } = JSON.parse(recorded.meta) as { readonly at?: unknown };
  return typeof at === 'number' ? at : 0;
}
