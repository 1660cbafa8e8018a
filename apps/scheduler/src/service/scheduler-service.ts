import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { systemClock, systemIds } from '@rondo/adapter-embedded';
import {
  BundleCheck,
  BusCommands,
  BusParser,
  DagSource,
  RunArchiver,
  RunEraser,
  SensorEvents,
  TimetableAsker,
  type DagSourceOptions,
  type Scheduler,
  type SchedulerProblem,
} from '@rondo/application';
import { DEFAULT_MAX_MAP_LENGTH, type DagVersion } from '@rondo/domain';
import {
  flag,
  nestLogger,
  text,
  whole,
  type Log,
  type Service,
  type ServiceDefinition,
} from '@rondo/nest-platform/service';
import type { BlobStore } from '@rondo/ports';
import {
  EVENTSTORE_SETTINGS,
  KAFKA_SETTINGS,
  kafkaProblems,
  archivesIncluded,
  openBus,
  openEventStore,
  openKeyring,
  openReadModels,
  openStorage,
  OTHER_SECTIONS,
  POSTGRES_SETTINGS,
  RELEASE,
  SECRETS_SETTINGS,
  STORAGE_SETTINGS,
} from '@rondo/service-kit';
import { SCHEDULER, SchedulerModule } from '../scheduler.module.ts';
import { schedulerMetrics } from './metrics.ts';
import { SystemWork } from './system-work.ts';

const SETTINGS = {
  kafka: KAFKA_SETTINGS,
  eventstore: EVENTSTORE_SETTINGS,
  postgres: POSTGRES_SETTINGS,
  storage: STORAGE_SETTINGS,
  secrets: SECRETS_SETTINGS,
  scheduler: {
    dags: text('The folder of DAG files; the same files wherever a scheduler runs.', { required: true }),
    maxMapLength: whole('Most instances that one mapping makes.', 1, 10_000_000, { default: DEFAULT_MAX_MAP_LENGTH }),
    sealRuns: flag('Every run is sealed with a key of its own, whatever its DAG says, so that it can be erased.', {
      default: false,
    }),
    retention: whole(
      'Days after their end in which runs are archived. Default: those alone that are asked for.',
      1,
      36_500,
      {},
    ),
  },
};

export const schedulerService: ServiceDefinition<typeof SETTINGS> = {
  service: 'scheduler',
  about: 'Decides what runs, for the DAGs of its partitions; one of the schedulers reads the folder of DAG files.',
  release: RELEASE,
  sections: SETTINGS,
  otherSections: OTHER_SECTIONS,
  check: ({ kafka, scheduler }) => [
    ...kafkaProblems(kafka),
    ...(statSync(scheduler.dags, { throwIfNoEntry: false })?.isDirectory() === true
      ? []
      : [`scheduler.dags ${JSON.stringify(scheduler.dags)}: the path of a folder with DAG files is allowed`]),
  ],
  compose,
};

async function compose(service: Service<typeof SETTINGS>): Promise<void> {
  const { config, log, add, addAll } = service;
  const [clock, ids] = [systemClock(), systemIds];
  const history = await openEventStore(service, config.eventstore);
  const storage = await openStorage(service, config.storage);
  const { blobs, bundles } = storage;
  const { store, logs } = archivesIncluded(history, storage);
  const bus = await openBus(service, config.kafka);
  const readModels = await openReadModels(service, config.postgres, { events: store, blobs, writes: false });
  const keyring = await openKeyring(service, config.secrets, config.postgres);
  const eraser = new RunEraser({ keyring, logs, clock, onProblem: (problem) => log.warn(problem) });
  const commands = new BusCommands(bus, clock, ids);
  const parser = new BusParser({ bus, clock, ids, bundles, onNotice: (notice) => log.warn(notice) });
  const { maxMapLength, sealRuns: sealsAll, retention } = config.scheduler;
  const module = SchedulerModule.register({
    ...{ store, bus, blobs, clock, ids, maxMapLength, keyring, eraser, sealsAll },
    cluster: { scheduler: service.instance },
    onProblem: (problem) => tell(log, problem),
  });
  const context = await NestFactory.createApplicationContext(module, { logger: nestLogger(log), abortOnError: false });
  await add({ name: 'nest', stop: () => context.close() });
  const scheduler = context.get<Scheduler>(SCHEDULER);
  schedulerMetrics(service.metrics, scheduler);
  const events = new SensorEvents({ store, bus, clock, onRefused: (notice) => log.warn(notice) });
  const root = resolve(config.scheduler.dags);
  const timetables = new TimetableAsker({ bus, session: parser, commands, ids, root, bundleOf: bundleOf(blobs) });
  await addAll([
    { name: 'commands', start: () => commands.start(), stop: () => commands.stop() },
    { name: 'parser', start: () => parser.start(), stop: () => parser.stop() },
    {
      name: 'scheduler',
      start: () => scheduler.start(),
      stop: () => scheduler.stop(),
      check: async () => quarantineOf(scheduler),
    },
    { name: 'sensorEvents', start: () => events.start(), stop: () => events.stop() },
    { name: 'timetables', start: () => timetables.start(), stop: () => timetables.stop() },
  ]);
  const parts = { ...{ store, blobs, bundles, commands, readModels, clock, ids, root }, session: parser, bus };
  const archiver = (isOwner: () => boolean): RunArchiver =>
    new RunArchiver({
      ...{
        store,
        logs,
        blobs,
        bundles: new BundleCheck(bundles),
        truncation: history,
        readModels,
        commands,
        clock,
        isOwner,
      },
      ...(retention === undefined ? {} : { retentionMs: retention * DAY_MS }),
      onProblem: (problem) => log.warn(problem),
      onArchived: ({ dagId, runId, archive }) => log.info('run archived', { dag: dagId, run: runId, archive }),
    });
  const system = systemWork(log, parts, archiver);
  await add({
    name: 'system',
    start: () => system.start(),
    stop: () => system.stop(),
    check: async () => (system.isOwner ? 'reads the DAG folder' : 'another scheduler reads the DAG folder'),
  });
}

type SourceParts = Omit<DagSourceOptions, 'release' | 'onChange'> &
  Pick<ConstructorParameters<typeof SystemWork>[0], 'bus'>;

const DAY_MS = 86_400_000;

function systemWork(
  log: Log,
  { bus, ...parts }: SourceParts,
  archiverFor: (isOwner: () => boolean) => RunArchiver,
): SystemWork {
  return new SystemWork({
    bus,
    task: (isOwner) => {
      const archiver = archiverFor(isOwner);
      const source = new DagSource({
        ...parts,
        release: RELEASE,
        onChange: ({ file, dagIds, failures }) => {
          for (const { message, line } of failures) log.warn('import error', { file, line, error: message });
          if (failures.length === 0) log.info('DAG file read', { file, dags: dagIds });
        },
      });
      return {
        name: 'DAG source',
        start: () => {
          archiver.start();
          return source.start();
        },
        stop: async () => void (await Promise.all([source.stop(), archiver.stop()])),
      };
    },
    onChange: (isOwner) => log.info(isOwner ? 'reads the DAG folder from now on' : 'reads the DAG folder no more'),
    onFailure: (task, error, retryInMs) => log.error(`${task} failed`, { error, retryInMs }),
  });
}

function bundleOf(blobs: BlobStore): (version: string) => Promise<string> {
  return async (version) => {
    const bytes = await blobs.get(version);
    if (bytes === undefined) throw new Error(`version ${version} is not in the blob store`);
    return (JSON.parse(new TextDecoder().decode(bytes)) as DagVersion).bundle.hash;
  };
}

/** A quarantined run needs a person, and holds up no other: the service is ready all the same. */
async function quarantineOf(scheduler: Scheduler): Promise<string> {
  const runs = [...scheduler.quarantine().keys()];
  return runs.length === 0 ? 'no run is quarantined' : `${runs.length} quarantined: ${runs.join(', ')}`;
}

function tell(log: Log, { kind, dagId, runId, message, stack }: SchedulerProblem): void {
  log.error(kind, {
    ...(dagId === '' ? {} : { dag: dagId }),
    ...(runId === undefined ? {} : { run: runId }),
    error: message,
    stack,
  });
}
