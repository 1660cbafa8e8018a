import { main } from '@rondo/nest-platform/service';
import { gatewayService } from './service/gateway-service.ts';

await main(gatewayService);
