import { hash } from 'node:crypto';
import {
  assetAliasStream,
  assetStream,
  attemptId,
  type AssetAliasEvent,
  type AssetEvent,
  type DagRunEvent,
} from '@rondo/domain';
import type { AppendRequest } from '@rondo/ports';
import { envelope, type Cause, type Trace } from './envelope.ts';

export type Success = Extract<DagRunEvent, { type: 'TaskSucceeded' }>['data'];

/**
 * The events of the assets that an attempt updated. They are written after its success and before its run is closed, and
 * their ids are made of the attempt: written again after a restart they are the events that are there (I6, I11).
 */
export function assetRequests(
  run: {
    readonly dagId: string;
    readonly runId: string;
    readonly trace: Trace;
    readonly seal?: string | undefined;
  },
  { taskId, mapIndex, tryNumber, leg, at, assets = [] }: Success,
  cause: Cause,
  now: number,
): AppendRequest[] {
  const { dagId, runId } = run;
  const attempt = attemptId({ dagId, runId, taskId, mapIndex, tryNumber, leg });
  const source = { dagId, runId, taskId, mapIndex, tryNumber };
  const one = (stream: string, event: AssetEvent | AssetAliasEvent, id: string): AppendRequest => {
    const ids = { uuid: () => stableId(id) };
    const seal = event.type === 'AssetUpdated' ? run.seal : undefined;
    return { stream, expected: 'any', events: [envelope(event, run.trace, cause, now, ids, seal)] };
  };
  return assets.flatMap((asset, index) => {
    const { name, uri, aliases = [] } = asset;
    // The alias comes first: whoever learns of it counts the update that brought it.
    const named = aliases.map((alias) => {
      const event = { type: 'AssetAliasResolved' as const, data: { alias, name, uri, at } };
      return one(assetAliasStream(alias), event, JSON.stringify([alias, name]));
    });
    const updated = { type: 'AssetUpdated' as const, data: { ...asset, at, source } };
    return [...named, one(assetStream(name), updated, `${attempt}:${index}`)];
  });
}

/** A UUID that is the same for the same text. */
export function stableId(text: string): string {
  const hex = hash('sha256', text, 'hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}
