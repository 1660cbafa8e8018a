export { SCHEDULER, SchedulerModule } from './scheduler.module.ts';
