#!/usr/bin/env node
/** `rondo-worker`: runs attempts for the gateways, with neither store nor bus. */
import { readFileSync } from 'node:fs';
import { grpcGatewayLine } from '@rondo/adapter-grpc';
import { main } from '@rondo/nest-platform/service';
import { OTHER_SECTIONS } from '@rondo/service-kit/settings';
import { workerMetrics } from './service/metrics.ts';
import { checkWorkerConfig, optionsOf, tlsOf, WORKER_SETTINGS } from './service/settings.ts';
import { workerService } from './service/worker-service.ts';

const { version: release } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

await main({
  service: 'worker',
  about: 'Runs attempts in child processes, for every gateway that it is told of.',
  release,
  sections: WORKER_SETTINGS,
  otherSections: OTHER_SECTIONS,
  check: checkWorkerConfig,
  compose: async ({ config, log, add, metrics, end, fail }) => {
    const tls = tlsOf(config.gateways);
    const onNotice = (text: string): void => log.warn(text);
    const lines = config.gateways.addresses.map((address) =>
      grpcGatewayLine({ address, onNotice, ...(tls === undefined ? {} : { tls }) }),
    );
    const service = workerService({
      ...optionsOf(config),
      release,
      lines,
      onNotice,
      onDrained: () => end('sent away by a gateway, and done'),
      onFailure: (error) => fail('the thread of the worker has failed', error),
    });
    workerMetrics(metrics, service, config.worker.slots);
    await add({ name: 'worker', ...service });
  },
});
