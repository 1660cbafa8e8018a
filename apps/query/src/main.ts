import { main } from '@rondo/nest-platform/service';
import { queryService } from './service/query-service.ts';

await main(queryService);
