import { Inject, Injectable } from '@nestjs/common';
import { RowOpener, type RunKeyring } from '@rondo/application';
import { compareMapIndex, type MapIndex } from '@rondo/domain';
import type {
  DagRunRow,
  Page,
  Paged,
  Position,
  ReadModels,
  RenderedFieldsRow,
  TaskFilter,
  TaskInstanceRow,
  TaskTryRow,
  XComRow,
} from '@rondo/ports';
import type { RunView } from '@rondo/projections';
import { KEYRING, READ_MODELS } from '../options.ts';
import { RunHistory } from './run-history.ts';

/** One run at one position: now, from the read models; or as of then, from the history. */
export interface RunSnapshot {
  readonly position: Position;
  run(): Promise<DagRunRow | undefined>;
  tasks(filter: Omit<TaskFilter, 'dagId' | 'runId'>, page: Page): Promise<Paged<TaskInstanceRow>>;
  task(taskId: string, mapIndex: string): Promise<TaskInstanceRow | undefined>;
  tries(taskId: string, mapIndex: string): Promise<readonly TaskTryRow[]>;
  xcoms(taskId?: string, mapIndex?: string): Promise<readonly XComRow[]>;
  /** A run may have very many. */
  xcomPage(taskId: string | undefined, page: Page): Promise<Paged<XComRow>>;
  rendered(taskId: string, mapIndex: string, tryNumber: number): Promise<RenderedFieldsRow | undefined>;
}

@Injectable()
export class Snapshots {
  constructor(
    @Inject(READ_MODELS) private readonly readModels: ReadModels,
    @Inject(RunHistory) private readonly history: RunHistory,
    @Inject(KEYRING) private readonly keyring: Pick<RunKeyring, 'find'>,
  ) {}

  async of(dagId: string, runId: string, asOf: string | undefined): Promise<RunSnapshot> {
    if (asOf === undefined) return live(this.readModels, await this.readModels.position(), dagId, runId);
    const position = await this.history.resolve(asOf);
    const view = await this.history.viewAt(dagId, runId, position);
    return past(position, view, new RowOpener(this.keyring));
  }
}

function live(models: ReadModels, position: Position, dagId: string, runId: string): RunSnapshot {
  return {
    position,
    run: () => models.run(dagId, runId),
    tasks: (filter, page) => models.taskInstances({ ...filter, dagId, runId }, page),
    task: (taskId, mapIndex) => models.taskInstance(dagId, runId, taskId, mapIndex),
    tries: (taskId, mapIndex) => models.tries(dagId, runId, taskId, mapIndex),
    xcoms: (taskId, mapIndex) => models.xcoms(dagId, runId, taskId, mapIndex),
    xcomPage: (taskId, page) =>
      models.xcomsUnder(dagId, runId, { under: '', ...(taskId === undefined ? {} : { taskId }) }, page),
    rendered: (taskId, mapIndex, tryNumber) => models.renderedFields(dagId, runId, taskId, mapIndex, tryNumber),
  };
}

type Placed = Pick<TaskInstanceRow, 'taskId' | 'mapIndex'>;

const isAt = (taskId: string, mapIndex: string) => (row: Placed) => row.taskId === taskId && row.mapIndex === mapIndex;
const all = <Row>(rows: readonly Row[], open: (row: Row) => Promise<Row>): Promise<Row[]> =>
  Promise.all(rows.map((row) => open(row)));
const byText = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);
const pathOf = (mapIndex: string): MapIndex => (mapIndex === '' ? [] : mapIndex.split('.').map(Number));
const byMapIndex = (a: Placed, b: Placed): number => compareMapIndex(pathOf(a.mapIndex), pathOf(b.mapIndex));
const isUnder = (mapIndex: string, under: string): boolean => mapIndex === under || mapIndex.startsWith(`${under}.`);

function matches(row: TaskInstanceRow, { taskId, state, under, name }: TaskFilter): boolean {
  if (taskId !== undefined && row.taskId !== taskId) return false;
  if (state !== undefined && !state.includes(row.state)) return false;
  if (under !== undefined && !isUnder(row.mapIndex, under)) return false;
  return name === undefined || (row.mapIndexName ?? '').toLowerCase().includes(name.toLowerCase());
}

/** The fold holds what is sealed as the history does: what is asked for is opened. */
function past(position: Position, view: RunView | undefined, opener: RowOpener): RunSnapshot {
  const tasks = (view?.tasks ?? [])
    .toSorted((a, b) => a.ordinal - b.ordinal || byMapIndex(a, b))
    .map(({ ordinal: _ordinal, retries: _retries, open: _open, ...row }) => row);
  const xcomsOf = (taskId?: string, mapIndex?: string): XComRow[] =>
    (view?.xcoms ?? [])
      .filter(
        (row) =>
          (taskId === undefined || row.taskId === taskId) && (mapIndex === undefined || row.mapIndex === mapIndex),
      )
      .toSorted((a, b) => byText(a.taskId, b.taskId) || byMapIndex(a, b) || byText(a.key, b.key));
  return {
    position,
    async run() {
      if (view === undefined) return undefined;
      const { runNo: _runNo, dagRevisions: _dagRevisions, ...run } = view.run;
      return opener.run(run);
    },
    async tasks(filter, { offset, limit }) {
      const matching = tasks.filter((row) => matches(row, filter));
      return { items: await all(matching.slice(offset, offset + limit), opener.task), total: matching.length };
    },
    async task(taskId, mapIndex) {
      const row = tasks.find(isAt(taskId, mapIndex));
      return row === undefined ? undefined : opener.task(row);
    },
    tries: async (taskId, mapIndex) =>
      all(
        (view?.tries ?? []).filter(isAt(taskId, mapIndex)).toSorted((a, b) => a.tryNumber - b.tryNumber),
        opener.tried,
      ),
    xcoms: async (taskId, mapIndex) => all(xcomsOf(taskId, mapIndex), opener.xcom),
    async xcomPage(taskId, { offset, limit }) {
      const rows = xcomsOf(taskId);
      return { items: await all(rows.slice(offset, offset + limit), opener.xcom), total: rows.length };
    },
    async rendered(taskId, mapIndex, tryNumber) {
      const row = view?.rendered.find(
        (each) => each.taskId === taskId && each.mapIndex.join('.') === mapIndex && each.tryNumber === tryNumber,
      );
      return row === undefined ? undefined : opener.rendered(row);
    },
  };
}
