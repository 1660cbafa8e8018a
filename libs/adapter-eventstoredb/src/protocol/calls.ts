import { convertToCommandError, type EventStoreDBClient } from '@eventstore/db-client';
import { makeGenericClientConstructor, status, type Client, type ClientDuplexStream } from '@grpc/grpc-js';
import type { ClientReadableStream, ServiceDefinition } from '@grpc/grpc-js';
import { asPortError } from '../errors.ts';
import { readAnswer, readRequest, type ReadAnswer, type ReadRequest } from './read.ts';

const asIs = (bytes: Buffer): Buffer => bytes;
const coding = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
const SERVICE = '/event_store.client.streams.Streams';

/** The calls that are made for every event, with messages that are written and read here. */
const StreamCalls = makeGenericClientConstructor(
  {
    read: { path: `${SERVICE}/Read`, requestStream: false, responseStream: true, ...coding },
    batchAppend: { path: `${SERVICE}/BatchAppend`, requestStream: true, responseStream: true, ...coding },
  } satisfies ServiceDefinition,
  'Streams',
) as unknown as new (address: string, credentials: never, options?: object) => StreamCalls;

interface StreamCalls extends Client {
  read(request: Buffer, ...how: CallArguments): ClientReadableStream<Buffer>;
  batchAppend(...how: CallArguments): ClientDuplexStream<Buffer, Buffer>;
}

type CallArguments = ReturnType<EventStoreDBClient['callArguments']>;
type Stream = ClientReadableStream<Buffer> | ClientDuplexStream<Buffer, Buffer>;

/**
 * Makes a call over the connection of the official client, which finds the node, logs in, and looks for another node when this
 * one cannot be used: that is for whoever extends it, and so protected.
 */
async function begin<S extends Stream>(
  client: EventStoreDBClient,
  options: { readonly requiresLeader?: boolean },
  call: (calls: StreamCalls, how: CallArguments) => S,
): Promise<S> {
  const calls = (await client['getGRPCClient'](StreamCalls as never, 'streams')) as StreamCalls;
  const stream = call(calls, client['callArguments'](options, { deadline: Infinity }));
  client['disposableStreams'].add(stream);
  stream.on('error', (error) => {
    if (!isOwnCancel(error)) void client['handleError'](calls, error);
  });
  stream.on('close', () => client['disposableStreams'].delete(stream));
  return stream;
}

const isOwnCancel = (error: Error): boolean =>
  'code' in error && error.code === status.CANCELLED && 'details' in error && error.details === 'Cancelled on client';

/** The call over which appends go. */
export const batchAppendCall = (client: EventStoreDBClient): Promise<ClientDuplexStream<Buffer, Buffer>> =>
  begin(client, {}, (calls, how) => calls.batchAppend(...how));

/** The answers to a read, until there are no more, it is left, or cancelled. Errors are those of the port where it knows them. */
export class Reading implements AsyncIterable<ReadAnswer> {
  readonly #stream: Promise<ClientReadableStream<Buffer>>;
  #isCancelled = false;

  constructor(client: EventStoreDBClient, request: ReadRequest, options: { readonly requiresLeader?: boolean } = {}) {
    this.#stream = begin(client, options, (calls, how) => calls.read(readRequest(request), ...how));
    this.#stream.catch(() => undefined);
  }

  cancel(): void {
    this.#isCancelled = true;
    // Not while it hands out: see grpc-node issue 1652.
    void this.#stream.then(
      (stream) => setImmediate(() => stream.cancel()),
      () => undefined,
    );
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ReadAnswer> {
    let isOver = false;
    try {
      for await (const bytes of await this.#stream) yield readAnswer(bytes as Buffer);
      isOver = true;
    } catch (error) {
      isOver = true;
      if (!this.#isCancelled) throw asPortError(convertToCommandError(error as Error));
    } finally {
      if (!isOver) this.cancel();
    }
  }
}
