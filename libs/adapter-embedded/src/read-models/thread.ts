import { parentPort, workerData } from 'node:worker_threads';
import { assertNever } from '@rondo/kernel';
import type { ProjectionModule } from '@rondo/ports';
import { eventStoreClient } from '../event-store/client.ts';
import { fileBlobStore } from '../files/blob-store.ts';
import type { FromThread, ReadModelsWorkerData, ToThread } from './messages.ts';
import { ReadModelService } from './service.ts';

const parent = parentPort;
if (parent === null) throw new Error('this module is the entry of a worker thread');
const data = workerData as ReadModelsWorkerData;
const send = (message: FromThread): void => parent.postMessage(message);
const events = eventStoreClient(data.events);
const service = new ReadModelService({
  folder: data.folder,
  events,
  projection: (await import(data.projection)) as ProjectionModule,
  blobs: fileBlobStore(data.blobs),
  onStatus: (status) => send({ k: 'status', status }),
});

async function answer({ call }: ToThread): Promise<unknown> {
  switch (call.k) {
    case 'query':
      return (service.queries[call.name] as (...args: readonly unknown[]) => Promise<unknown>)(...call.args);
    case 'rebuild':
      return service.rebuild();
    case 'close':
      await service.close();
      data.events.close();
      return undefined;
    default:
      return assertNever(call, 'call');
  }
}

parent.on('message', (message: ToThread) => {
  answer(message).then(
    (value) => {
      send({ k: 'answer', id: message.id, value });
      if (message.call.k === 'close') parent.close();
    },
    (error: unknown) =>
      send({ k: 'failed', id: message.id, message: error instanceof Error ? error.message : String(error) }),
  );
});
await service.start();
send({ k: 'ready', status: service.status });
