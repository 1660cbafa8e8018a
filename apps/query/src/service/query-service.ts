import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { serverTlsOf, serverTlsProblems, type ServerTlsFiles } from '@rondo/adapter-grpc';
import { systemClock, systemIds } from '@rondo/adapter-embedded';
import {
  AdminService,
  BusAdmission,
  BusCommands,
  openedReadModels,
  SensorEvents,
  StoredWorkers,
} from '@rondo/application';
import {
  address,
  flag,
  list,
  nestLogger,
  text,
  type Address,
  type Service,
  type ServiceDefinition,
} from '@rondo/nest-platform/service';
import {
  EVENTSTORE_SETTINGS,
  KAFKA_SETTINGS,
  kafkaProblems,
  archivesIncluded,
  openBus,
  openEventStore,
  openKeyring,
  openReadModels,
  openSecrets,
  openStorage,
  openSubscriptions,
  OTHER_SECTIONS,
  POSTGRES_SETTINGS,
  RELEASE,
  SECRETS_SETTINGS,
  STORAGE_SETTINGS,
} from '@rondo/service-kit';
import type { HealthReport } from '../options.ts';
import { QueryModule } from '../query.module.ts';
import { meterRequests } from './metrics.ts';
import { API_APPLICATION, prepareApi, serveGrpcApi, urlOf } from '../server.ts';

const SETTINGS = {
  kafka: KAFKA_SETTINGS,
  eventstore: EVENTSTORE_SETTINGS,
  postgres: POSTGRES_SETTINGS,
  storage: STORAGE_SETTINGS,
  secrets: SECRETS_SETTINGS,
  api: {
    listen: address('Where the API is served. Beyond loopback a token is wanted.', { default: '127.0.0.1:8080' }),
    token: text('Wanted by everybody who does not come over loopback.', {
      secret: true,
      form: [/^\S{16,}$/, 'at least 16 characters'],
    }),
    hosts: list('Names of hosts under which others may address the API, beside its own.', {
      form: [/^[\w.:[\]-]+$/, 'names without a port'],
    }),
    origins: list('Origins of pages that may use the API beside its own.', {
      form: [/^https?:\/\/[\w.:[\]-]+$/, 'https://host'],
    }),
    grpcListen: address('Where the API is served over gRPC, too. Default: nowhere.', {}),
    grpcTlsCert: text('A file with the certificate of that server, in PEM; with it connections are encrypted.', {}),
    grpcTlsKey: text('A file with its key.', {}),
    grpcTlsClientCa: text(
      'A file with those who sign the certificates of clients: with it a client must show one.',
      {},
    ),
    confOverridesParams: flag("Whether a run's conf changes its params.", { default: true }),
  },
};

export const queryService: ServiceDefinition<typeof SETTINGS> = {
  service: 'query',
  about: 'Serves the API, and keeps the read models that it answers from.',
  release: RELEASE,
  sections: SETTINGS,
  otherSections: OTHER_SECTIONS,
  // I17.
  check: ({ kafka, api }) => [
    ...kafkaProblems(kafka),
    ...tokenProblems('api.listen', api.listen, api.token),
    ...tokenProblems('api.grpcListen', api.grpcListen, api.token),
    ...serverTlsProblems(tlsFiles(api), (field) => `api.grpcT${field.slice(1)}`),
  ],
  compose,
};

async function compose(service: Service<typeof SETTINGS>): Promise<void> {
  const { config, log, add, addAll } = service;
  const [clock, ids] = [systemClock(), systemIds];
  const history = await openEventStore(service, config.eventstore);
  const storage = await openStorage(service, config.storage);
  const { blobs, bundles } = storage;
  const { store: eventStore, logs } = archivesIncluded(history, storage);
  const bus = await openBus(service, config.kafka);
  const rows = await openReadModels(service, config.postgres, { events: eventStore, blobs, writes: true });
  const keyring = await openKeyring(service, config.secrets, config.postgres);
  const readModels = openedReadModels(rows, keyring);
  const commands = new BusCommands(bus, clock, ids);
  const admission = new BusAdmission(bus, clock, ids);
  await addAll([
    { name: 'commands', start: () => commands.start(), stop: () => commands.stop() },
    { name: 'admission', start: () => admission.start(), stop: () => admission.stop() },
  ]);
  const secrets = openSecrets(config.secrets);
  const { listen, token, hosts, origins, confOverridesParams } = config.api;
  const module = QueryModule.register({
    ...{ readModels, eventStore, commands, logs, blobs, bundles, secrets, clock, confOverridesParams, keyring },
    ...{ admission, archives: true },
    workers: new StoredWorkers({ store: eventStore, readModels, clock }),
    deadLetters: bus.deadLetters,
    subscriptions: await openSubscriptions(service, config.eventstore),
    sensorEvents: new SensorEvents({ store: eventStore, bus, clock }),
    admin: new AdminService({ eventStore, secrets, clock, ids }),
    health: async () => healthOf(await service.states()),
    door: {
      hosts: [listen.host, ...(hosts ?? [])],
      ...(token === undefined ? {} : { token }),
      ...(origins === undefined ? {} : { origins }),
    },
    version: RELEASE,
  });
  const app = await NestFactory.create<NestExpressApplication>(module, new ExpressAdapter(), {
    ...API_APPLICATION,
    logger: nestLogger(log),
  });
  prepareApi(app);
  app.use(meterRequests(service.metrics));
  await add({ name: 'api', start: () => app.listen(listen.port, listen.host), stop: () => app.close() });
  log.info('serves the API', { url: urlOf(app, listen.host) });
  await openGrpc(service, app);
}

async function openGrpc({ config, log, add }: Service<typeof SETTINGS>, app: INestApplication): Promise<void> {
  const { grpcListen } = config.api;
  if (grpcListen === undefined) return;
  const tls = serverTlsOf(tlsFiles(config.api));
  const server = await serveGrpcApi(app, {
    listen: addressText(grpcListen),
    ...(tls === undefined ? {} : { tls }),
  });
  await add({ name: 'grpc', stop: () => server.close() });
  log.info('serves the API over gRPC', { address: server.address });
}

interface GrpcFiles {
  readonly grpcTlsCert: string | undefined;
  readonly grpcTlsKey: string | undefined;
  readonly grpcTlsClientCa: string | undefined;
}

const tlsFiles = ({ grpcTlsCert, grpcTlsKey, grpcTlsClientCa }: GrpcFiles): ServerTlsFiles => ({
  tlsCert: grpcTlsCert,
  tlsKey: grpcTlsKey,
  tlsClientCa: grpcTlsClientCa,
});

const addressText = ({ host, port }: Address): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

function tokenProblems(setting: string, at: Address | undefined, token: string | undefined): string[] {
  if (at === undefined || isLoopback(at.host) || token !== undefined) return [];
  return [
    `${setting} ${JSON.stringify(at.host)} opens the API to others, who need a token: api.token (RONDO_API_TOKEN)`,
  ];
}

function healthOf(states: Awaited<ReturnType<Service<typeof SETTINGS>['states']>>): HealthReport {
  const components: Record<string, HealthReport['components'][string]> = {};
  for (const [name, { state, detail }] of Object.entries(states))
    components[name] = { status: state === 'ok' ? 'ok' : 'failing', detail: detail ?? state };
  const isOk = Object.values(components).every(({ status }) => status === 'ok');
  return { status: isOk ? 'ok' : 'failing', components };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
