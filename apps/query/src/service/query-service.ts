import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { systemClock, systemIds } from '@rondo/adapter-embedded';
import { AdminService, BusAdmission, BusCommands, SensorEvents } from '@rondo/application';
import {
  address,
  flag,
  list,
  nestLogger,
  text,
  type Service,
  type ServiceDefinition,
} from '@rondo/nest-platform/service';
import {
  EVENTSTORE_SETTINGS,
  KAFKA_SETTINGS,
  kafkaProblems,
  openBus,
  openEventStore,
  openReadModels,
  openSecrets,
  openStorage,
  OTHER_SECTIONS,
  POSTGRES_SETTINGS,
  RELEASE,
  SECRETS_SETTINGS,
  STORAGE_SETTINGS,
} from '@rondo/service-kit';
import type { HealthReport } from '../options.ts';
import { QueryModule } from '../query.module.ts';
import { API_APPLICATION, prepareApi, urlOf } from '../server.ts';

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
    ...(isLoopback(api.listen.host) || api.token !== undefined
      ? []
      : [
          `api.listen ${JSON.stringify(api.listen.host)} opens the API to others, who need a token: api.token (RONDO_API_TOKEN)`,
        ]),
  ],
  compose,
};

async function compose(service: Service<typeof SETTINGS>): Promise<void> {
  const { config, log, add, addAll } = service;
  const [clock, ids] = [systemClock(), systemIds];
  const eventStore = await openEventStore(service, config.eventstore);
  const { blobs, bundles, logs } = await openStorage(service, config.storage);
  const bus = await openBus(service, config.kafka);
  const readModels = await openReadModels(service, config.postgres, { events: eventStore, blobs, writes: true });
  const commands = new BusCommands(bus, clock, ids);
  const admission = new BusAdmission(bus, clock, ids);
  await addAll([
    { name: 'commands', start: () => commands.start(), stop: () => commands.stop() },
    { name: 'admission', start: () => admission.start(), stop: () => admission.stop() },
  ]);
  const secrets = openSecrets(config.secrets);
  const { listen, token, hosts, origins, confOverridesParams } = config.api;
  const module = QueryModule.register({
    ...{ readModels, eventStore, commands, logs, blobs, bundles, secrets, clock, confOverridesParams },
    admission,
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
  await add({ name: 'api', start: () => app.listen(listen.port, listen.host), stop: () => app.close() });
  log.info('serves the API', { url: urlOf(app, listen.host) });
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
