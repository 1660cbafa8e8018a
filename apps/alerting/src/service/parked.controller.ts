import { Controller, Get, HttpCode, Inject, Module, Post, type DynamicModule } from '@nestjs/common';
import { Alerts } from './alerts.ts';

/** What could not be told, for whoever runs the platform: served on this machine only. */
@Controller('parked')
export class ParkedController {
  constructor(@Inject(Alerts) private readonly alerts: Alerts) {}

  @Get()
  async parked(): Promise<{ readonly parked: number }> {
    const { parked } = await this.alerts.stand();
    return { parked };
  }

  @Post('replay')
  @HttpCode(202)
  async replay(): Promise<{ readonly replayed: number }> {
    const { parked } = await this.alerts.stand();
    await this.alerts.replayParked();
    return { replayed: parked };
  }
}

@Module({})
export class AlertingModule {
  static register(alerts: Alerts): DynamicModule {
    return {
      module: AlertingModule,
      controllers: [ParkedController],
      providers: [{ provide: Alerts, useValue: alerts }],
    };
  }
}
