import { Module, type DynamicModule } from '@nestjs/common';
import { startWorkerThread } from './session.ts';
import type { WorkerOptions } from './options.ts';

/** Injection token of the worker's `WorkerSession`. */
export const WORKER_SESSION = Symbol('WorkerSession');

/** Provides the session of a worker in a thread. The gateway starts and stops it: it holds the other end. */
@Module({})
export class WorkerModule {
  static forThread(options: WorkerOptions): DynamicModule {
    return {
      module: WorkerModule,
      providers: [{ provide: WORKER_SESSION, useFactory: () => startWorkerThread(options) }],
      exports: [WORKER_SESSION],
    };
  }
}
