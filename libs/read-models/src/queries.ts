import type { ReadModels, RowSource } from '@rondo/ports';
import * as assets from './asset-queries.ts';
import * as backfills from './backfill-queries.ts';
import { findApprovals } from './approval-queries.ts';
import * as other from './other-queries.ts';
import { findRun, findRuns, previousSuccess, runRow } from './run-queries.ts';
import { dialectOf, type Db } from './dialect.ts';
import * as tasks from './task-queries.ts';

/** The port's queries; the rest of it is about the position and not about rows. */
export type Queries = Omit<ReadModels, 'position' | 'settled' | 'close'>;
export type QueryName = keyof Queries;

/** Each query in a transaction of its own: a page and its total are of one state. */
export function queriesOver(root: Db): Queries {
  const dialect = dialectOf(root);
  const read = <T>(query: (db: Db) => Promise<T>): Promise<T> => dialect.read(root, query);
  return {
    dags: (filter, page) => read((db) => other.findDags(db, filter, page)),
    dag: (dagId) => read((db) => other.findDag(db, dagId)),
    dagVersions: (dagId) => read((db) => other.dagVersions(db, dagId)),
    runs: (filter, page) => read((db) => findRuns(db, filter, page)),
    run: (dagId, runId) =>
      read(async (db) => {
        const run = await findRun(db, dagId, runId);
        return run && runRow(run);
      }),
    dagRevisions: (dagId, runId) => read(async (db) => (await findRun(db, dagId, runId))?.dagRevisions ?? []),
    taskInstances: (filter, page) => read((db) => tasks.findInstances(db, filter, page)),
    taskInstance: (dagId, runId, taskId, mapIndex) =>
      read((db) => tasks.findInstance(db, { dagId, runId, taskId, mapIndex })),
    tries: (dagId, runId, taskId, mapIndex) => read((db) => tasks.triesOf(db, { dagId, runId, taskId, mapIndex })),
    xcoms: (dagId, runId, taskId, mapIndex) => read((db) => tasks.xcomsOf(db, dagId, runId, taskId, mapIndex)),
    xcomsUnder: (dagId, runId, query, page) => read((db) => tasks.xcomsUnder(db, { dagId, runId, ...query }, page)),
    priorXCom: (dagId, runId, name) => read((db) => tasks.priorXCom(db, dagId, runId, name)),
    previousSuccess: (dagId, runId) => read((db) => previousSuccess(db, dagId, runId)),
    renderedFields: (dagId, runId, taskId, mapIndex, tryNumber) =>
      read((db) => tasks.renderedOf(db, { dagId, runId, taskId, mapIndex }, tryNumber)),
    backfills: (filter, page) => read((db) => backfills.findBackfills(db, filter, page)),
    backfill: (dagId, backfillId) => read((db) => backfills.findBackfill(db, dagId, backfillId)),
    backfillDates: (dagId, backfillId, page) => read((db) => backfills.findBackfillDates(db, dagId, backfillId, page)),
    approvals: (filter, page) => read((db) => findApprovals(db, filter, page)),
    assets: (filter, page) => read((db) => assets.findAssets(db, filter, page)),
    asset: (name) => read((db) => assets.findAsset(db, name)),
    assetAliases: (alias) => read((db) => assets.assetAliases(db, alias)),
    assetLinks: (filter) => read((db) => assets.assetLinks(db, filter)),
    assetEvents: (filter, page) => read((db) => assets.findAssetEvents(db, filter, page)),
    queuedAssets: (filter) => read((db) => assets.queuedAssets(db, filter)),
    importErrors: () => read(other.importErrors),
    variables: (page) => read((db) => other.findVariables(db, page)),
    variable: (key) => read((db) => other.findVariable(db, key)),
    connections: (page) => read((db) => other.findConnections(db, page)),
    connection: (connId) => read((db) => other.findConnection(db, connId)),
    pools: () => read(other.pools),
    pool: (name) => read((db) => other.findPool(db, name)),
  };
}

/** What the projector asks of the rows that were written before. */
export function rowSourceOver(
  db: Db,
  { definition, runEvents }: Pick<RowSource, 'definition' | 'runEvents'>,
): RowSource {
  return {
    dags: () => other.allDags(db),
    dagVersions: () => other.dagVersions(db),
    run: (dagId, runId) => findRun(db, dagId, runId),
    backfill: (dagId, backfillId) => backfills.findBackfill(db, dagId, backfillId),
    assets: () => assets.allAssets(db),
    instances: (runNo) => tasks.instancesOf(db, runNo),
    definition,
    runEvents,
  };
}
