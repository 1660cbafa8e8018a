import type { AssetLeaf } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import type { Position } from './event-store.ts';

/** An asset that a DAG file names, or that was updated. */
export interface AssetRow {
  readonly name: string;
  readonly uri: string;
  readonly group: string;
  readonly extra: Json;
}

/** An update of an asset. */
export interface AssetEventRow {
  readonly name: string;
  /** Its place among the events of the asset, from 0. */
  readonly revision: number;
  readonly position: Position;
  readonly uri: string;
  readonly at: number;
  readonly extra: Json;
  readonly partitionKey: string | null;
  /** Aliases through which it came. */
  readonly aliases: readonly string[];
  /** The attempt that updated it; null: somebody from outside. */
  readonly source: {
    readonly dagId: string;
    readonly runId: string;
    readonly taskId: string;
    /** `''` for a task that is not mapped. */
    readonly mapIndex: string;
    readonly tryNumber: number;
  } | null;
}

/** An asset that was updated through an alias. */
export interface AssetAliasRow {
  readonly alias: string;
  readonly name: string;
  readonly uri: string;
  readonly at: number;
}

/** What a published DAG has to do with assets. `taskId`: `''` for the schedule of the DAG. */
export interface AssetLinkRow {
  readonly dagId: string;
  readonly use: 'schedule' | 'outlet' | 'inlet';
  readonly taskId: string;
  readonly kind: AssetLeaf['kind'];
  readonly name: string;
}

/** Events of an asset in a row that wait for a run of a DAG. */
export interface QueuedAssetRow {
  readonly dagId: string;
  readonly partitionKey: string;
  readonly name: string;
  /** Revisions of the asset's stream, both included. */
  readonly from: number;
  readonly to: number;
  /** Of the last of them. */
  readonly at: number;
  readonly position: Position;
}

/** What happened to the events that wait for the runs of a DAG, in order. */
export type AssetQueueChange =
  | { readonly kind: 'queued'; readonly dagId: string; readonly row: Omit<QueuedAssetRow, 'dagId'> }
  | { readonly kind: 'consumed'; readonly dagId: string; readonly partitionKey: string; readonly runNo: Position }
  | {
      readonly kind: 'deleted';
      readonly dagId: string;
      readonly names: readonly string[];
      readonly partitionKey?: string;
    }
  /** A new version waits for these and no others. */
  | {
      readonly kind: 'retargeted';
      readonly dagId: string;
      readonly names: readonly string[];
      readonly aliases: readonly string[];
      readonly uris: readonly string[];
    };

export interface AssetChanges {
  readonly assets: readonly AssetRow[];
  readonly assetEvents: readonly AssetEventRow[];
  readonly assetAliases: readonly AssetAliasRow[];
  /** By DAG: all that it has from here on. */
  readonly assetLinks: ReadonlyMap<string, readonly AssetLinkRow[]>;
  readonly assetQueue: readonly AssetQueueChange[];
}

export interface AssetFilter {
  /** A part of the name or the URI, in either case. */
  readonly pattern?: string;
  readonly group?: string;
}

export interface AssetEventFilter {
  readonly name?: string;
  readonly uri?: string;
  readonly alias?: string;
  readonly partitionKey?: string;
  readonly sourceDagId?: string;
  readonly sourceRunId?: string;
  readonly sourceTaskId?: string;
  /** Only events that a run of this DAG consumed; both or neither. */
  readonly dagId?: string;
  readonly runId?: string;
  /** Default `-position`: the newest first. */
  readonly orderBy?: 'position' | '-position';
}
