import { Inject, Injectable } from '@nestjs/common';
import { openEvents, type RunKeyring } from '@rondo/application';
import type { Actor, DagCommand } from '@rondo/contracts';
import type { Json } from '@rondo/kernel';
import type { DagRunRow, Page, Paged, ReadModels, RecordedEvent, RunFilter } from '@rondo/ports';
import { resolveParams } from '@rondo/sdk';
import { Commands } from '../commands.ts';
import { Definitions } from '../history/definitions.ts';
import { RunHistory } from '../history/run-history.ts';
import { Snapshots } from '../history/snapshots.ts';
import { Positioned } from '../http/position.ts';
import { invalid, notFound } from '../http/problem.ts';
import { CONF_OVERRIDES_PARAMS, KEYRING, READ_MODELS } from '../options.ts';

export interface TriggerInput {
  readonly runId?: string;
  readonly conf?: Json;
  readonly logicalDate?: number | null;
  readonly note?: string;
  readonly partitionKey?: string;
  readonly ignoreDependsOnPast?: boolean;
  readonly priority?: number;
}

@Injectable()
export class RunsService {
  constructor(
    @Inject(READ_MODELS) private readonly readModels: ReadModels,
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Snapshots) private readonly snapshots: Snapshots,
    @Inject(RunHistory) private readonly history: RunHistory,
    @Inject(Definitions) private readonly definitions: Definitions,
    @Inject(KEYRING) private readonly keyring: Pick<RunKeyring, 'find'>,
    @Inject(CONF_OVERRIDES_PARAMS) private readonly confOverridesParams: boolean,
  ) {}

  async list(filter: RunFilter, page: Page): Promise<Positioned<Paged<DagRunRow>>> {
    const position = await this.readModels.position();
    return new Positioned(position, await this.readModels.runs(filter, page));
  }

  async listOf(
    dagId: string,
    filter: RunFilter,
    page: Page,
    asOf: string | undefined,
  ): Promise<Positioned<Paged<DagRunRow>>> {
    if ((await this.readModels.dag(dagId)) === undefined) throw notFound(`there is no DAG '${dagId}'`);
    if (asOf === undefined) return this.list({ ...filter, dagId }, page);
    if (filter.state !== undefined) throw notWithAsOf('state', filter.state.join(','));
    if (filter.orderBy !== undefined && /startedAt|endedAt/.test(filter.orderBy))
      throw notWithAsOf('orderBy', filter.orderBy);
    const position = await this.history.resolve(asOf);
    await this.readModels.settled(position);
    const found = await this.readModels.runs({ ...filter, dagId, requestedBy: position }, page);
    const items: DagRunRow[] = [];
    for (const { runId } of found.items) {
      const run = await (await this.snapshots.of(dagId, runId, String(position))).run();
      if (run !== undefined) items.push(run);
    }
    return new Positioned(position, { items, total: found.total });
  }

  async get(dagId: string, runId: string, asOf: string | undefined): Promise<Positioned<DagRunRow>> {
    const snapshot = await this.snapshots.of(dagId, runId, asOf);
    const run = await snapshot.run();
    if (run === undefined) throw noRun(dagId, runId, asOf === undefined ? undefined : snapshot.position);
    return new Positioned(snapshot.position, run);
  }

  async trigger(
    dagId: string,
    input: TriggerInput,
    actor: Actor,
    key: string | undefined,
  ): Promise<Positioned<DagRunRow>> {
    await this.checkParams(dagId, input.conf ?? null);
    const command: DagCommand = {
      type: 'triggerRun',
      runType: 'manual',
      triggeredBy: 'user',
      ...input,
      ...(key === undefined ? {} : { key }),
    };
    const { position, result } = await this.commands.sendAndSettle(dagId, actor, command);
    const run = await this.readModels.run(dagId, String(result['runId']));
    if (run === undefined)
      throw new Error(
        `run '${String(result['runId'])}' of DAG '${dagId}' was accepted at position ${position} and is not there`,
      );
    return new Positioned(position, run);
  }

  /** A conf that the DAG's params refuse would fail every task: it is refused where it is given. */
  async checkParams(dagId: string, conf: Json): Promise<void> {
    const dag = await this.readModels.dag(dagId);
    const version = dag === undefined ? undefined : await this.definitions.get(dag.version);
    if (version === undefined) return;
    const resolved = resolveParams(version.definition.params, this.confOverridesParams ? conf : null);
    if (resolved.ok) return;
    throw invalid(
      resolved.error.map(({ param, at, message }) => ({
        in: 'body',
        name: `conf.${param}${at.replaceAll('/', '.')}`,
        message,
      })),
    );
  }

  async events(dagId: string, runId: string, asOf: string | undefined, page: Page): Promise<Positioned<Paged<object>>> {
    const position = asOf === undefined ? await this.readModels.position() : await this.history.resolve(asOf);
    const events = await this.history.timeline(dagId, runId).eventsTo(position);
    if (events.length === 0) throw noRun(dagId, runId, asOf === undefined ? undefined : position);
    const wanted = events.slice(page.offset, page.offset + page.limit);
    const items = (await openEvents(wanted, this.keyring)).map(shown);
    return new Positioned(position, { items, total: events.length });
  }
}

function shown({ data, meta, ...event }: RecordedEvent): object {
  return { ...event, data: JSON.parse(data) as Json, meta: JSON.parse(meta) as Json };
}

export function noRun(dagId: string, runId: string, asOf: number | undefined): Error {
  return notFound(`DAG '${dagId}' has no run '${runId}'${asOf === undefined ? '' : ` as of position ${asOf}`}`);
}

function notWithAsOf(name: string, value: string): Error {
  const allowed = 'not together with asOf';
  return invalid([{ in: 'query', name, value, message: `is ${allowed}`, allowed }]);
}
