import { hash } from 'node:crypto';
import { readSensorEvent, type EventFault, type SensorEvent, type SensorEventReceived } from '@rondo/domain';
import { err, ok, type Result } from '@rondo/kernel';
import { TOPICS } from '@rondo/contracts';
import type { AppendRequest, Clock, Consumer, EventStore, MessageBus, Position, RecordedEvent } from '@rondo/ports';
import { envelope } from '../scheduler/envelope.ts';

export const SENSOR_EVENTS = 'sensorEvents-';

export const sensorStream = (type: string): string => `${SENSOR_EVENTS}${type}`;

export interface SensorEventsOptions {
  readonly store: EventStore;
  readonly bus: MessageBus;
  readonly clock: Clock;
  /** Told of a message of the topic that is no event. */
  readonly onRefused?: (message: string) => void;
}

export interface Received {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  /** Where the event stands; a repeat stands where the first did. */
  readonly position: Position;
}

/** An event with the place and the time at which it was received. */
export interface StoredSensorEvent {
  readonly position: Position;
  /** Epoch milliseconds. */
  readonly receivedAt: number;
  readonly event: SensorEvent;
}

/** An event of a batch that was refused, by its place in it: then nothing of the batch is taken. */
export interface RefusedEvent {
  readonly index: number;
  readonly faults: readonly EventFault[];
}

/** Takes events from outside, from the API and from the topic `rondo.sensor.events`, into the streams of their types. */
export class SensorEvents {
  private readonly options: SensorEventsOptions;
  private consumer: Consumer | undefined;

  constructor(options: SensorEventsOptions) {
    this.options = options;
  }

  async start(): Promise<void> {
    this.consumer = await this.options.bus.consume<unknown>({
      topic: TOPICS.sensorEvents,
      group: 'rondo-sensor-events',
      maxBatch: 1_000,
      onBatch: async (messages) => {
        const events = messages.flatMap(({ value }) => this.readOrTell(value));
        if (events.length > 0) await this.append(events, 'service:bus');
      },
    });
  }

  async stop(): Promise<void> {
    await this.consumer?.close();
  }

  /** Appends the events, each once however often it comes (I6). Durable when it resolves. */
  async receive(
    given: readonly unknown[],
    actor: string,
  ): Promise<Result<readonly Received[], readonly RefusedEvent[]>> {
    const refused: RefusedEvent[] = [];
    const events: SensorEvent[] = [];
    for (const [index, each] of given.entries()) {
      const read = readSensorEvent(each);
      if (read.ok) events.push(read.value);
      else refused.push({ index, faults: read.error });
    }
    if (refused.length > 0) return err(refused);
    const positions = await this.append(events, actor);
    return ok(events.map(({ id, source, type }, i) => ({ id, source, type, position: positions[i]! })));
  }

  /** The types of which there are events, by name. */
  async types(): Promise<readonly { readonly type: string; readonly events: number }[]> {
    const streams = await this.options.store.listStreams(SENSOR_EVENTS);
    return streams.map(({ stream, revision }) => ({ type: stream.slice(SENSOR_EVENTS.length), events: revision + 1 }));
  }

  /** The newest events of a type, newest first. */
  async latest(type: string, limit: number): Promise<readonly StoredSensorEvent[]> {
    const events: StoredSensorEvent[] = [];
    for await (const page of this.options.store.readStream(sensorStream(type), { backwards: true, limit }))
      for (const recorded of page)
        events.push({ position: recorded.position, receivedAt: receivedAt(recorded), event: sensorEventOf(recorded) });
    return events;
  }

  private readOrTell(given: unknown): SensorEvent[] {
    const read = readSensorEvent(given);
    if (read.ok) return [read.value];
    const faults = read.error.map(({ name, allowed }) => `${name}: allowed is ${allowed}`).join('; ');
    this.options.onRefused?.(`a message of topic '${TOPICS.sensorEvents}' was refused: ${faults}`);
    return [];
  }

  private async append(events: readonly SensorEvent[], actor: string): Promise<readonly Position[]> {
    const { store } = this.options;
    const outcomes = await store.append(events.map((event) => this.requestOf(event, actor)));
    return outcomes.map((outcome) => {
      if (!outcome.ok) throw new Error(`the store refused an event of '${outcome.stream}' at any revision`);
      return outcome.position;
    });
  }

  private requestOf(event: SensorEvent, actor: string): AppendRequest {
    const stream = sensorStream(event.type);
    const identity = hash('sha256', JSON.stringify([event.source, event.id]), 'hex');
    const trace = { traceId: identity.slice(0, 32), spanId: identity.slice(32, 48) };
    const record: SensorEventReceived = { type: 'SensorEventReceived', data: event };
    const ids = { uuid: () => uuidOf(identity) };
    const cause = { causationId: event.id, actor };
    return { stream, expected: 'any', events: [envelope(record, trace, cause, this.options.clock.now(), ids)] };
  }
}

export function sensorEventOf(recorded: RecordedEvent): SensorEvent {
  return JSON.parse(recorded.data) as SensorEvent;
}

function receivedAt(recorded: RecordedEvent): number {
  return (JSON.parse(recorded.meta) as { readonly at: number }).at;
}

/** A UUID of version 8 (RFC 9562), made of the first digits of a digest. */
function uuidOf(digest: string): string {
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-a${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
}
