import type { Json } from '@rondo/kernel';
import type { MapIndex } from '../task-instance/index.ts';

/** One update of an asset as its task reports it with its success. */
export interface AssetUpdate {
  readonly name: string;
  readonly uri: string;
  readonly group?: string;
  readonly extra?: Json;
  /** Aliases through which the task named it. */
  readonly aliases?: readonly string[];
  /** The part of the asset that is new. Default: that of the run. */
  readonly partitionKey?: string;
}

/** The attempt that updated an asset. */
export interface AssetSource {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: MapIndex;
  readonly tryNumber: number;
}

/** Events of `asset-{name}`. */
export type AssetEvent = {
  readonly type: 'AssetUpdated';
  readonly data: AssetUpdate & {
    /** Epoch milliseconds. */
    readonly at: number;
    /** Absent: somebody from outside said so. */
    readonly source?: AssetSource;
  };
};

/** Events of `assetAlias-{name}`: an asset was updated through the alias for the first time. */
export type AssetAliasEvent = {
  readonly type: 'AssetAliasResolved';
  readonly data: { readonly alias: string; readonly name: string; readonly uri: string; readonly at: number };
};

/** Bytes of JSON that the extras of one attempt's updates may have together (I7); of one update from outside as well. */
export const MAX_ASSET_EXTRA_BYTES = 16_384;

export const assetStream = (name: string): string => `asset-${name}`;
export const assetAliasStream = (name: string): string => `assetAlias-${name}`;
