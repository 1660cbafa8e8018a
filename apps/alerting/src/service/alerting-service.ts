import { NestFactory } from '@nestjs/core';
import { nestLogger, whole, type Log, type Service, type ServiceDefinition } from '@rondo/nest-platform/service';
import { RunTracer } from '@rondo/application';
import type { EventStore, PersistentSubscriptions } from '@rondo/ports';
import {
  EVENTSTORE_SETTINGS,
  openEventStore,
  openSubscriptions,
  OTHER_SECTIONS,
  RELEASE,
  TELEMETRY_SETTINGS,
} from '@rondo/service-kit';
import type { Alert } from './alert.ts';
import { Alerts } from './alerts.ts';
import { AlertingModule } from './parked.controller.ts';

const SETTINGS = {
  eventstore: EVENTSTORE_SETTINGS,
  telemetry: TELEMETRY_SETTINGS,
  alerting: {
    port: whole(
      'Port on 127.0.0.1 where GET /parked counts what could not be told and POST /parked/replay tells it again; 0: any.',
      0,
      65_535,
      {
        default: 8_082,
      },
    ),
    maxRetries: whole('How often an alert is tried again before it is laid aside.', 0, 1_000, { default: 10 }),
  },
};

export const alertingService: ServiceDefinition<typeof SETTINGS> = {
  service: 'alerting',
  about: 'Tells what happens to runs and tasks: as lines of its log, and as traces to a collector.',
  release: RELEASE,
  sections: SETTINGS,
  otherSections: OTHER_SECTIONS,
  compose,
};

async function compose(service: Service<typeof SETTINGS>): Promise<void> {
  const { config, log, add, metrics, fail } = service;
  const store = await openEventStore(service, config.eventstore);
  const subscriptions = await openSubscriptions(service, config.eventstore);
  const alerts = new Alerts({
    subscriptions,
    tell: (alert) => tell(log, alert),
    onProblem: (message, { stream, revision }, error) => log.warn(message, { stream, revision, error }),
    onDrop: (error) => fail('the subscription to the history is gone', error),
    maxRetries: config.alerting.maxRetries,
  });
  await add({
    name: 'alerts',
    start: () => alerts.start(),
    stop: () => alerts.stop(),
    check: async () => {
      const { told, parked } = await alerts.stand();
      return `${told} told, ${parked} laid aside`;
    },
  });
  metrics.total('rondo_alerts_told_total', 'What this process has told.', async () => (await alerts.stand()).told);
  metrics.gauge(
    'rondo_alerts_parked',
    'What could not be told, in any process, and is laid aside until somebody asks for it again.',
    async () => (await alerts.stand()).parked,
  );
  await openTraces(service, store, subscriptions);
  const app = await NestFactory.create(AlertingModule.register(alerts), {
    logger: nestLogger(log),
    abortOnError: false,
  });
  await add({
    name: 'parked',
    start: () => app.listen(config.alerting.port, '127.0.0.1'),
    stop: () => app.close(),
  });
}

async function openTraces(
  { config, log, add, fail, instance }: Service<typeof SETTINGS>,
  store: EventStore,
  subscriptions: PersistentSubscriptions,
): Promise<void> {
  const url = config.telemetry.otlp ?? process.env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  if (url === undefined || url === '') return;
  const { otlpTraceSink } = await import('@rondo/adapter-otlp');
  const about = { 'service.name': 'rondo', 'service.version': RELEASE, 'service.instance.id': instance };
  const tracer = new RunTracer({
    ...{ store, subscriptions, sink: otlpTraceSink({ url, resource: about }) },
    onProblem: (problem) => log.warn(problem),
    onDrop: (error) => fail('the subscription of traces is gone', error),
  });
  await add({
    name: 'traces',
    start: () => tracer.start(),
    stop: () => tracer.stop(),
    check: async () => `${tracer.count} sent`,
  });
}

function tell(log: Log, { what, at, ...about }: Alert): void {
  const isBad = what === 'task_failed' || what === 'task_lost' || what === 'run_failed';
  log[isBad ? 'warn' : 'info'](what, { ...about, at: new Date(at).toISOString() });
}
