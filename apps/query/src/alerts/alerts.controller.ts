import { Controller, Inject, Logger } from '@nestjs/common';
import { ALERTS_SUBSCRIPTION } from '@rondo/contracts';
import type { ParkedEvent, PersistentSubscriptions } from '@rondo/ports';
import { actorText } from '../http/actor.ts';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { notFound } from '../http/problem.ts';
import { pageOf } from '../http/schemas.ts';
import { SUBSCRIPTIONS } from '../options.ts';
import * as operations from './alerts.operations.ts';

const RUN_STREAM = /^dagRun-([^:]+):(.+)$/;

@Controller('api/v1')
export class AlertsController {
  private readonly logger = new Logger('alerts');

  constructor(@Inject(SUBSCRIPTIONS) private readonly subscriptions: PersistentSubscriptions | null) {}

  @Route(operations.listParkedAlerts)
  async list(@Input() { query }: InputOf<typeof operations.listParkedAlerts>) {
    const { subscriptions, parked: total } = await this.stand();
    const items = await subscriptions.listParked(ALERTS_SUBSCRIPTION, pageOf(query));
    return { items: items.map(viewOf), total };
  }

  @Route(operations.replayParkedAlerts)
  async replay(@Input() { actor }: InputOf<typeof operations.replayParkedAlerts>) {
    const { subscriptions, parked } = await this.stand();
    if (parked > 0) await subscriptions.replayParked(ALERTS_SUBSCRIPTION);
    // No event and no mark of the store says who it was.
    this.logger.log(`${parked} parked alerts are told again, as ${actorText(actor)} wished`);
    return { replayed: parked };
  }

  private async stand() {
    const { subscriptions } = this;
    if (subscriptions === null) throw notFound('this platform has no alerting service: nothing is told, or laid aside');
    const info = await subscriptions.info(ALERTS_SUBSCRIPTION);
    if (info === undefined)
      throw notFound('no alerting service has run on this history: nothing was told, or laid aside');
    return { subscriptions, parked: info.parked };
  }
}

function viewOf({ id, stream, revision, type, meta }: ParkedEvent) {
  const [, dagId = null, runId = null] = RUN_STREAM.exec(stream) ?? [];
  const { at = null } = JSON.parse(meta) as { readonly at?: number };
  return { id, dagId, runId, stream, revision, type, at };
}
