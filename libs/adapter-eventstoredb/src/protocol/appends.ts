import { randomUUID } from 'node:crypto';
import { convertToCommandError, type EventStoreDBClient } from '@eventstore/db-client';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { AppendTooLargeError, StoreUnavailableError, type NewEvent, type Position } from '@rondo/ports';
import { asPortError } from '../errors.ts';
import { batchAppendCall } from './calls.ts';
import { Fields, Message } from './message.ts';
import { idOf, numberIn, textIn } from './read.ts';

/** From when it is sent; the server gives up on an append after it. */
const DEADLINE_MS = 10_000;

interface Waiting {
  readonly stream: string;
  readonly resolve: (position: Position | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Appends over one call that all share, each told from the others by an id. */
export class Appends {
  readonly #client: EventStoreDBClient;
  #call: SharedCall | undefined;

  constructor(client: EventStoreDBClient) {
    this.#client = client;
  }

  /** `after`: the revision at which the stream ends, -1 for one that is new. The position of the last event; undefined: it ends elsewhere. */
  append(stream: string, after: number, events: readonly NewEvent[]): Promise<Position | undefined> {
    if (this.#call === undefined || this.#call.isOver) this.#call = new SharedCall(this.#client);
    return this.#call.append(stream, after, events);
  }
}

class SharedCall {
  readonly #stream: Promise<ClientDuplexStream<Buffer, Buffer>>;
  readonly #waiting = new Map<string, Waiting>();
  isOver = false;

  constructor(client: EventStoreDBClient) {
    this.#stream = batchAppendCall(client);
    this.#stream.then(
      (stream) => {
        stream.on('data', (bytes: Buffer) => this.#hear(bytes));
        stream.on('error', (error) => this.#end(error));
        stream.on('close', () => this.#end(undefined));
        stream.on('end', () => this.#end(undefined));
      },
      (error: Error) => this.#end(error),
    );
  }

  append(stream: string, after: number, events: readonly NewEvent[]): Promise<Position | undefined> {
    const id = randomUUID();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { stream, resolve, reject });
      this.#stream.then((call) => call.write(requestOf(id, stream, after, events)), reject);
    });
  }

  #hear(bytes: Buffer): void {
    const { id, position, refusal } = answerOf(bytes);
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    if (refusal === undefined && position === undefined)
      waiting.reject(new Error(`the append to '${waiting.stream}' was answered without a position`));
    else if (refusal === undefined || refusal.type === 'WrongExpectedVersion') waiting.resolve(position);
    else waiting.reject(errorOf(refusal, waiting.stream));
  }

  #end(error: Error | undefined): void {
    this.isOver = true;
    const known =
      error === undefined ? unavailable('the call of appends has ended') : asPortError(convertToCommandError(error));
    for (const { reject } of this.#waiting.values()) reject(known);
    this.#waiting.clear();
  }
}

const unavailable = (what: string): StoreUnavailableError =>
  new StoreUnavailableError(`EventStoreDB does not answer: ${what}`, { retryable: true });

function requestOf(id: string, stream: string, after: number, events: readonly NewEvent[]): Buffer {
  const deadline = new Message().varint(1, Math.floor((Date.now() + DEADLINE_MS) / 1_000));
  const options = new Message().message(1, new Message().text(3, stream));
  if (after < 0) options.message(3);
  else options.varint(2, after);
  options.message(6, deadline);
  const request = new Message().message(1, new Message().text(2, id)).message(2, options);
  for (const event of events)
    request.message(
      3,
      new Message()
        .message(1, new Message().text(2, event.id))
        .entry(2, 'type', event.type)
        // So that people can read it in the server's own UI.
        .entry(2, 'content-type', 'application/json')
        .text(3, event.meta)
        .text(4, event.data),
    );
  return request.varint(4, 1).done();
}

interface Refusal {
  readonly type: string;
  readonly message: string;
}

function answerOf(bytes: Buffer): { readonly id: string; readonly position?: Position; readonly refusal?: Refusal } {
  const fields = new Fields(bytes);
  let id = '';
  let position: Position | undefined;
  let refusal: Refusal | undefined;
  while (fields.next())
    if (fields.field === 1) id = idOf(fields.inner);
    else if (fields.field === 2) refusal = refusalOf(fields.inner);
    else if (fields.field === 3) position = positionOf(fields.inner);
  return { id, ...(position === undefined ? {} : { position }), ...(refusal === undefined ? {} : { refusal }) };
}

function positionOf(success: Fields): Position | undefined {
  while (success.next()) if (success.field === 3) return numberIn(success.inner, 1);
  return undefined;
}

function refusalOf(status: Fields): Refusal {
  let [type, message] = ['', ''];
  while (status.next())
    if (status.field === 2) message = status.text;
    else if (status.field === 3) type = textIn(status.inner, 1).replace(/^.*\./, '');
  return { type, message };
}

function errorOf({ type, message }: Refusal, stream: string): Error {
  if (type === 'MaximumAppendSizeExceeded') return new AppendTooLargeError(`too much for '${stream}': ${message}`);
  if (type === 'Timeout') return unavailable(`an append to '${stream}' took too long`);
  return new Error(`the append to '${stream}' was refused: ${type} ${message}`);
}
