import { main } from '@rondo/nest-platform/service';
import { alertingService } from './service/alerting-service.ts';

await main(alertingService);
