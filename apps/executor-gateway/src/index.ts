export { GATEWAY, GatewayModule } from './gateway.module.ts';
