import { ASSET_NAME_LIMIT } from '@rondo/domain';
import type { AssetAliasRow, AssetEventRow } from '@rondo/ports';
import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import { afterField, dagParams, epochMs, json, pagedOf, pageFields, runParams } from '../http/schemas.ts';
import { runSchema } from '../runs/runs.operations.ts';

const tag = 'assets';
const nameText = z.string().min(1).max(ASSET_NAME_LIMIT);
const assetParams = z.object({ asset: nameText.meta({ description: "The asset's name." }) });
const partitionKey = z.string().min(1).max(ASSET_NAME_LIMIT);
const link = z.object({ dagId: z.string(), taskId: z.string() });

export const assetSchema = z
  .object({
    name: z.string(),
    uri: z.string(),
    group: z.string(),
    extra: json,
    producers: z.array(link).readonly().meta({ description: 'Tasks that have it among their outlets.' }),
    readers: z.array(link).readonly().meta({ description: 'Tasks that have it among their inlets.' }),
    consumers: z.array(z.string()).readonly().meta({ description: 'DAGs that wait for it.' }),
    aliases: z.array(z.string()).readonly().meta({ description: 'Aliases through which it was updated.' }),
    events: z.number().int().meta({ description: 'How often it was updated.' }),
    updatedAt: epochMs.nullable(),
  })
  .meta({ id: 'Asset' });

export const assetEventSchema = z
  .object({
    name: z.string(),
    revision: z.number().int().meta({ description: 'Its place among the events of the asset, from 0.' }),
    position: z.number().int(),
    uri: z.string(),
    at: epochMs,
    extra: json,
    partitionKey: z.string().nullable(),
    aliases: z.array(z.string()).readonly(),
    source: z
      .object({
        dagId: z.string(),
        runId: z.string(),
        taskId: z.string(),
        mapIndex: z.string(),
        tryNumber: z.number().int(),
      })
      .nullable()
      .meta({ description: 'The attempt that updated it; null: somebody from outside.' }),
  })
  .meta({ id: 'AssetEvent' }) satisfies z.ZodType<AssetEventRow>;

const aliasSchema = z
  .object({ alias: z.string(), name: z.string(), uri: z.string(), at: epochMs })
  .meta({ id: 'AssetAlias' }) satisfies z.ZodType<AssetAliasRow>;

const queuedSchema = z
  .object({
    dagId: z.string(),
    name: z.string(),
    partitionKey: z.string().nullable(),
    events: z.number().int().meta({ description: 'How many events wait.' }),
    at: epochMs.meta({ description: 'When the last of them came.' }),
  })
  .meta({ id: 'QueuedAssetEvents' });

const deletedSchema = z.object({ deleted: z.number().int() }).meta({ id: 'DeletedAssetEvents' });

export const listAssets = {
  id: 'listAssets',
  method: 'get',
  path: '/assets',
  tag,
  summary: 'List assets with who makes and who uses them',
  action: 'read',
  query: z.strictObject({
    pattern: nameText.optional().meta({ description: 'Only names and URIs that contain this text, in either case.' }),
    group: nameText.optional(),
    ...pageFields,
    ...afterField,
  }),
  answer: pagedOf(assetSchema),
} as const satisfies Operation;

export const getAsset = {
  id: 'getAsset',
  method: 'get',
  path: '/assets/{asset}',
  tag,
  summary: 'Get an asset with who makes and who uses it',
  action: 'read',
  params: assetParams,
  query: z.strictObject({ ...afterField }),
  answer: assetSchema,
  refusals: [404],
} as const satisfies Operation;

export const listAssetAliases = {
  id: 'listAssetAliases',
  method: 'get',
  path: '/assetAliases',
  tag,
  summary: 'List what aliases have come to stand for',
  action: 'read',
  query: z.strictObject({ alias: nameText.optional(), ...afterField }),
  answer: pagedOf(aliasSchema),
} as const satisfies Operation;

export const listAssetEvents = {
  id: 'listAssetEvents',
  method: 'get',
  path: '/assetEvents',
  tag,
  summary: 'List updates of assets, the newest first',
  action: 'read',
  query: z.strictObject({
    name: nameText.optional(),
    uri: z.string().min(1).max(1_500).optional(),
    alias: nameText.optional(),
    partitionKey: partitionKey.optional(),
    sourceDagId: z.string().optional(),
    sourceRunId: z.string().optional(),
    sourceTaskId: z.string().optional(),
    orderBy: z.enum(['position', '-position']).default('-position'),
    ...pageFields,
    ...afterField,
  }),
  answer: pagedOf(assetEventSchema),
} as const satisfies Operation;

export const createAssetEvent = {
  id: 'createAssetEvent',
  method: 'post',
  path: '/assetEvents',
  tag,
  summary: 'Say that an asset was updated by somebody from outside',
  description: 'With an Idempotency-Key a repeat is the same event.',
  action: 'control',
  body: z
    .strictObject({ name: nameText, extra: json.optional(), partitionKey: partitionKey.optional() })
    .meta({ id: 'AssetUpdate' }),
  status: 201,
  answer: assetEventSchema,
  refusals: [404, 422],
} as const satisfies Operation;

export const materializeAsset = {
  id: 'materializeAsset',
  method: 'post',
  path: '/assets/{asset}/materialize',
  tag,
  summary: 'Run the DAG that makes the asset',
  action: 'control',
  params: assetParams,
  body: z
    .strictObject({
      conf: json.optional(),
      note: z.string().max(1_000).optional(),
      partitionKey: partitionKey.optional(),
      dagId: z.string().optional().meta({ description: 'Which, where several DAGs make it.' }),
    })
    .meta({ id: 'Materialization' }),
  status: 201,
  answer: runSchema,
  refusals: [404, 409, 422],
} as const satisfies Operation;

const bothParams = dagParams.extend(assetParams.shape);

const listQueued = <const Id extends string, Params extends z.ZodObject>(
  id: Id,
  path: string,
  of: string,
  params: Params,
) =>
  ({
    ...{ id, path, tag, params },
    method: 'get',
    summary: `List the events of ${of} that wait for a run`,
    action: 'read',
    query: z.strictObject({ ...afterField }),
    answer: pagedOf(queuedSchema),
    refusals: [404],
  }) as const satisfies Operation;

const deleteQueued = <const Id extends string, Params extends z.ZodObject>(
  id: Id,
  path: string,
  of: string,
  params: Params,
) =>
  ({
    ...{ id, path, tag, params },
    method: 'delete',
    summary: `Delete the events of ${of} that wait for a run`,
    action: 'control',
    query: z.strictObject({ partitionKey: partitionKey.optional() }),
    answer: deletedSchema,
    refusals: [404, 409],
  }) as const satisfies Operation;

const OF_ASSET = ['/assets/{asset}/queuedEvents', 'an asset', assetParams] as const;
const OF_DAG = ['/dags/{dagId}/assets/queuedEvents', 'all assets for a DAG', dagParams] as const;
const OF_BOTH = ['/dags/{dagId}/assets/{asset}/queuedEvents', 'an asset for a DAG', bothParams] as const;
export const listQueuedOfAsset = listQueued('listQueuedEventsOfAsset', ...OF_ASSET);
export const deleteQueuedOfAsset = deleteQueued('deleteQueuedEventsOfAsset', ...OF_ASSET);
export const listQueuedOfDag = listQueued('listQueuedAssetEventsOfDag', ...OF_DAG);
export const deleteQueuedOfDag = deleteQueued('deleteQueuedAssetEventsOfDag', ...OF_DAG);
export const listQueuedOfBoth = listQueued('listQueuedEventsOfAssetForDag', ...OF_BOTH);
export const deleteQueuedOfBoth = deleteQueued('deleteQueuedEventsOfAssetForDag', ...OF_BOTH);

export const listPendingPartitions = {
  id: 'listPendingPartitions',
  method: 'get',
  path: '/dags/{dagId}/assets/pendingPartitions',
  tag,
  summary: 'List the partitions that wait for more assets before their run',
  action: 'read',
  params: dagParams,
  query: z.strictObject({ ...pageFields, ...afterField }),
  answer: pagedOf(
    z
      .object({
        partitionKey: z.string(),
        updated: z.array(z.string()).readonly(),
        waitsFor: z.array(z.string()).readonly().meta({ description: 'Assets without an update in this partition.' }),
        events: z.number().int(),
        at: epochMs,
      })
      .meta({ id: 'PendingPartition' }),
  ),
  refusals: [404],
} as const satisfies Operation;

export const listUpstreamAssetEvents = {
  id: 'listUpstreamAssetEvents',
  method: 'get',
  path: '/dags/{dagId}/runs/{runId}/upstreamAssetEvents',
  tag,
  summary: 'List the asset events that a run consumed',
  action: 'read',
  params: runParams,
  query: z.strictObject({ ...pageFields, ...afterField }),
  answer: pagedOf(assetEventSchema),
  refusals: [404],
} as const satisfies Operation;

export const ASSET_OPERATIONS: readonly Operation[] = [
  listAssets,
  getAsset,
  listAssetAliases,
  listAssetEvents,
  createAssetEvent,
  materializeAsset,
  listQueuedOfAsset,
  deleteQueuedOfAsset,
  listQueuedOfDag,
  deleteQueuedOfDag,
  listQueuedOfBoth,
  deleteQueuedOfBoth,
  listPendingPartitions,
  listUpstreamAssetEvents,
];
