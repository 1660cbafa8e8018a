import { Module, type DynamicModule } from '@nestjs/common';
import { Gateway, type GatewayOptions } from '@rondo/application';

/** Token of the service's `Gateway`. Whoever composes the application starts and stops it, in order with the others. */
export const GATEWAY = Symbol('gateway');

@Module({})
export class GatewayModule {
  static register(options: GatewayOptions): DynamicModule {
    return {
      module: GatewayModule,
      providers: [{ provide: GATEWAY, useFactory: () => new Gateway(options) }],
      exports: [GATEWAY],
    };
  }
}
