import { Module, type DynamicModule } from '@nestjs/common';
import { Gateway, Scheduler, type GatewayOptions, type SchedulerOptions } from '@rondo/application';
import { GATEWAY } from '@rondo/app-executor-gateway';
import { SCHEDULER } from '@rondo/app-scheduler';
import { WORKER_SESSION, WorkerModule, type WorkerOptions } from '@rondo/app-worker';
import type { WorkerSession } from '@rondo/ports';

export interface StandaloneParts {
  readonly worker: WorkerOptions;
  readonly gateway: (session: WorkerSession) => GatewayOptions;
  readonly scheduler: (gateway: Gateway) => SchedulerOptions;
}

/** The services of one process, wired to each other by direct calls where the distributed platform has gRPC. */
@Module({})
export class StandaloneModule {
  static register(parts: StandaloneParts): DynamicModule {
    return {
      module: StandaloneModule,
      imports: [WorkerModule.forThread(parts.worker)],
      providers: [
        {
          provide: GATEWAY,
          inject: [WORKER_SESSION],
          useFactory: (session: WorkerSession) => new Gateway(parts.gateway(session)),
        },
        {
          provide: SCHEDULER,
          inject: [GATEWAY],
          useFactory: (gateway: Gateway) => new Scheduler(parts.scheduler(gateway)),
        },
      ],
    };
  }
}
