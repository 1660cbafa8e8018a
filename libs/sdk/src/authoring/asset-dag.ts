import { Asset, type AssetOptions, type Outlet } from './asset.ts';
import type { TaskAttributes } from './attributes.ts';
import { Dag, type DagOptions } from './dag.ts';
import { FunctionOperator } from './function-task.ts';
import type { TaskContext } from '../runtime/task-context.ts';

type Body<R> = (ctx: TaskContext) => R | Promise<R>;
type DagPart = Omit<DagOptions, 'id'>;

export interface AssetDagOptions extends DagPart, Omit<AssetOptions, 'name' | 'extra'> {
  /** Of the DAG and its task. Default: the asset's name. */
  readonly dagId?: string;
  readonly extra?: AssetOptions['extra'];
  /** What the function reads. */
  readonly inlets?: TaskAttributes['inlets'];
}

/** A DAG of one task that makes an asset; the asset is what other DAGs wait for. */
export class AssetDag extends Dag {
  readonly asset: Asset;

  constructor(asset: Asset, options: DagOptions, define: () => unknown) {
    super(options, define);
    this.asset = asset;
  }
}

/** `asset('orders', { schedule: '@daily' }, async (ctx) => …)`: a DAG of one task, which updates the asset of that name. */
export function asset<R>(name: string, options: AssetDagOptions, fn: Body<R>): AssetDag {
  const { dagId = name, uri, group, extra, inlets, ...dagOptions } = options;
  const made = new Asset({
    name,
    ...(uri === undefined ? {} : { uri }),
    ...(group === undefined ? {} : { group }),
    ...(extra === undefined ? {} : { extra }),
  });
  return new AssetDag(made, { ...dagOptions, id: dagId }, () => oneTask(dagId, [made], inlets, fn));
}

export interface MultiAssetOptions extends DagPart {
  readonly outlets: readonly Outlet[];
  readonly inlets?: TaskAttributes['inlets'];
}

/** `multiAsset('orders_and_prices', { outlets: [orders, prices] }, fn)`: a DAG of one task that makes several assets. */
export function multiAsset<R>(id: string, { outlets, inlets, ...options }: MultiAssetOptions, fn: Body<R>): Dag {
  return new Dag({ ...options, id }, () => oneTask(id, outlets, inlets, fn));
}

function oneTask<R>(id: string, outlets: readonly Outlet[], inlets: TaskAttributes['inlets'], fn: Body<R>): void {
  void new FunctionOperator<[], R>({ id, fn, outlets, ...(inlets === undefined ? {} : { inlets }) });
}
