import { Module, type DynamicModule } from '@nestjs/common';
import { Scheduler, type SchedulerOptions } from '@rondo/application';

/** Token of the service's `Scheduler`. Whoever composes the application starts and stops it, in order with the others. */
export const SCHEDULER = Symbol('scheduler');

@Module({})
export class SchedulerModule {
  static register(options: SchedulerOptions): DynamicModule {
    return {
      module: SchedulerModule,
      providers: [{ provide: SCHEDULER, useFactory: () => new Scheduler(options) }],
      exports: [SCHEDULER],
    };
  }
}
