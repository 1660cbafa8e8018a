import type { Json } from '@rondo/kernel';
import type {
  ApprovalRow,
  AssetEventRow,
  DagRunRow,
  Paged,
  ReadModels,
  RenderedFieldsRow,
  TaskInstanceRow,
  TaskTryRow,
  XComRow,
} from '@rondo/ports';
import type { RunKeyring } from './keyring.ts';
import {
  erasedValue,
  keyIdOf,
  open,
  replaceTokens,
  tokenIn,
  tokensWithin,
  type PlaceKind,
  type Token,
} from './tokens.ts';

type Fields = Readonly<Record<string, PlaceKind | { readonly [field: string]: PlaceKind }>>;

const RUN: Fields = { conf: 'json', note: 'text' };
const TRY: Fields = { reason: 'text', error: { message: 'text', stack: 'text', logTail: 'lines' } };
const TASK: Fields = { ...TRY, mapIndexName: 'text', note: 'text' };
const XCOM: Fields = { value: 'json' };
const RENDERED: Fields = { fields: 'json' };
const ASSET_EVENT: Fields = { extra: 'json' };
const APPROVAL: Fields = {
  ...{ subject: 'text', body: 'text', params: 'record' },
  response: { chosenOptions: 'lines', params: 'json' },
};

type Named = { readonly dagId: string; readonly runId: string };

/** Opens rows of the read models, which hold what is sealed as the history does: a row of another run's values stays shut. */
export class RowOpener {
  private readonly keyring: Pick<RunKeyring, 'find'>;

  constructor(keyring: Pick<RunKeyring, 'find'>) {
    this.keyring = keyring;
  }

  run = <Row extends DagRunRow>(row: Row): Promise<Row> => this.row(row, RUN, row);
  task = <Row extends TaskInstanceRow>(row: Row): Promise<Row> => this.row(row, TASK, row);
  tried = (row: TaskTryRow): Promise<TaskTryRow> => this.row(row, TRY, row);
  xcom = (row: XComRow): Promise<XComRow> => this.row(row, XCOM, row);
  rendered = (row: RenderedFieldsRow): Promise<RenderedFieldsRow> => this.row(row, RENDERED, row);
  approval = (row: ApprovalRow): Promise<ApprovalRow> => this.row(row, APPROVAL, row);
  assetEvent = (row: AssetEventRow): Promise<AssetEventRow> =>
    row.source === null ? Promise.resolve(row) : this.row(row, ASSET_EVENT, row.source);

  /** The row itself where nothing of it is sealed. */
  private async row<Row extends object>(row: Row, fields: Fields, run: Named): Promise<Row> {
    const changed: Record<string, unknown> = {};
    let isOpened = false;
    for (const [field, kind] of Object.entries(fields)) {
      const value = (row as Record<string, unknown>)[field];
      const next = typeof kind === 'string' ? await this.value(value, kind, run) : await this.inner(value, kind, run);
      if (next === value) continue;
      changed[field] = next;
      isOpened = true;
    }
    return isOpened ? { ...row, ...changed } : row;
  }

  private inner(value: unknown, fields: Fields, run: Named): unknown {
    return typeof value === 'object' && value !== null ? this.row(value, fields, run) : value;
  }

  private value(value: unknown, kind: PlaceKind, run: Named): unknown {
    if (kind === 'text') return typeof value === 'string' ? this.text(value, run) : value;
    const token = tokenIn(kind, value);
    return token === undefined || token.keyId !== keyIdOf(run.dagId, run.runId) ? value : this.opened(token, kind);
  }

  /** The text itself, or a text around it that a projection has made. */
  private async text(text: string, run: Named): Promise<string> {
    const tokens = tokensWithin(text).filter(({ keyId }) => keyId === keyIdOf(run.dagId, run.runId));
    if (tokens.length === 0) return text;
    const plain = new Map<string, string>();
    for (const token of tokens) plain.set(token.box, String(await this.opened(token, 'text')));
    return replaceTokens(text, ({ box }) => plain.get(box) ?? '');
  }

  private async opened(token: Token, kind: PlaceKind): Promise<unknown> {
    const key = await this.keyring.find(token.keyId);
    const plain = key instanceof Uint8Array ? open(key, token) : undefined;
    return plain === undefined ? erasedValue(kind) : (JSON.parse(plain) as Json);
  }
}

/** Read models whose rows are opened where they are asked for: below there is nothing but the sealed form. */
export function openedReadModels<Models extends ReadModels>(models: Models, keyring: Pick<RunKeyring, 'find'>): Models {
  const opener = new RowOpener(keyring);
  return { ...models, ...opened(models, opener) };
}

const all = <Row>(rows: readonly Row[], one: (row: Row) => Promise<Row>): Promise<Row[]> => Promise.all(rows.map(one));

async function paged<Row>(page: Promise<Paged<Row>>, one: (row: Row) => Promise<Row>): Promise<Paged<Row>> {
  const { items, total } = await page;
  return { items: await all(items, one), total };
}

async function found<Row>(row: Promise<Row | undefined>, one: (row: Row) => Promise<Row>): Promise<Row | undefined> {
  const known = await row;
  return known === undefined ? undefined : one(known);
}

function opened(models: ReadModels, opener: RowOpener): Partial<ReadModels> {
  return {
    runs: (filter, page) => paged(models.runs(filter, page), opener.run),
    run: (dagId, runId) => found(models.run(dagId, runId), opener.run),
    previousSuccess: (dagId, runId) => found(models.previousSuccess(dagId, runId), opener.run),
    taskInstances: (filter, page) => paged(models.taskInstances(filter, page), opener.task),
    taskInstance: (...name) => found(models.taskInstance(...name), opener.task),
    tries: async (...name) => all(await models.tries(...name), opener.tried),
    xcoms: async (...name) => all(await models.xcoms(...name), opener.xcom),
    priorXCom: (...name) => found(models.priorXCom(...name), opener.xcom),
    xcomsUnder: (dagId, runId, query, page) => paged(models.xcomsUnder(dagId, runId, query, page), opener.xcom),
    renderedFields: (...name) => found(models.renderedFields(...name), opener.rendered),
    approvals: (filter, page) => paged(models.approvals(filter, page), opener.approval),
    assetEvents: (filter, page) => paged(models.assetEvents(filter, page), opener.assetEvent),
  };
}
