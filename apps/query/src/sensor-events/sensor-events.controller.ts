import { Controller, Inject } from '@nestjs/common';
import type { RefusedEvent, SensorEvents } from '@rondo/application';
import { actorText } from '../http/actor.ts';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { Positioned } from '../http/position.ts';
import { invalid, type Fault } from '../http/problem.ts';
import { SENSOR_EVENTS } from '../options.ts';
import * as operations from './sensor-events.operations.ts';

const MOST = 1_000;

@Controller('api/v1')
export class SensorEventsController {
  constructor(@Inject(SENSOR_EVENTS) private readonly events: SensorEvents) {}

  @Route(operations.sendEvents)
  async send(@Input() { body, actor }: InputOf<typeof operations.sendEvents>) {
    const isBatch = Array.isArray(body);
    const given: readonly unknown[] = isBatch ? body : [body];
    if (given.length === 0 || given.length > MOST)
      throw invalid([{ in: 'body', name: '(body)', message: `${given.length} events; allowed: 1 to ${MOST}` }]);
    const received = await this.events.receive(given, actorText(actor));
    if (!received.ok) throw invalid(received.error.flatMap((refused) => faultsOf(refused, isBatch)));
    const position = Math.max(...received.value.map((event) => event.position));
    return new Positioned(position, { events: received.value });
  }

  @Route(operations.listReceivedEvents)
  async list(@Input() { query }: InputOf<typeof operations.listReceivedEvents>) {
    const types = (await this.events.types()).filter(({ type }) => query.type === undefined || type === query.type);
    const latest = await Promise.all(types.map(({ type }) => this.events.latest(type, query.limit)));
    const items = latest.flat().toSorted((a, b) => b.position - a.position);
    return { types, items: items.slice(0, query.limit) };
  }
}

function faultsOf({ index, faults }: RefusedEvent, isBatch: boolean): Fault[] {
  return faults.map(({ name, value, allowed }) => ({
    in: 'body',
    name: isBatch ? `${index}.${name}` : name,
    ...(value === undefined ? {} : { value }),
    message: `${value === undefined ? 'is missing or not allowed' : `${JSON.stringify(value).slice(0, 200)} is not allowed`}: ${allowed}`,
    allowed,
  }));
}
