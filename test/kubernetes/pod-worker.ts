/** What the platform's image does in a pod: the worker of one attempt. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { grpcGatewayLine } from '@rondo/adapter-grpc';
import { workerService } from '../../apps/worker/src/service/worker-service.ts';

const env = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is missing`);
  return value;
};
const dataFolder = mkdtempSync(join(tmpdir(), 'rondo-pod-'));
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const leave = async (code: number): Promise<void> => {
  await service.stop(0);
  rmSync(dataFolder, { recursive: true, force: true });
  process.exit(code);
};
const service = workerService({
  worker: env('RONDO_WORKER_NAME'),
  release: '1',
  lines: env('RONDO_GATEWAYS_ADDRESSES')
    .split(',')
    .map((address) => grpcGatewayLine({ address, connectMs: 1_000 })),
  attempt: { id: env('RONDO_WORKER_ATTEMPT'), token: env('RONDO_WORKER_ATTEMPT_TOKEN') },
  limits: { slots: 1 },
  prestart: 1,
  queues: ['*'],
  dataFolder,
  warden: false,
  onNotice: say,
  onDrained: () => void leave(0),
});
process.once('SIGTERM', () => void leave(143));
await service.start();
say(`worker of ${env('RONDO_WORKER_ATTEMPT')}`);
