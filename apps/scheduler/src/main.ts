import { main } from '@rondo/nest-platform/service';
import { schedulerService } from './service/scheduler-service.ts';

await main(schedulerService);
