import {
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  status,
  type ServerInterceptor,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import type { IStreamsServer } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import type { DeleteReq, DeleteResp, TombstoneReq, TombstoneResp } from '@eventstore/db-client/generated/streams_pb.js';
import { embeddedSubscriptions, openEmbeddedEventStore } from '@rondo/adapter-embedded';
import { append } from './append.ts';
import { batchAppend } from './batch-append.ts';
import { History } from './history.ts';
import { serverFeatures } from './features.ts';
import { pb, PersistentSubscriptionsService, ServerFeaturesService, StreamsService } from './pb.ts';
import { persistentSubscriptions } from './persistent.ts';
import { read } from './read.ts';

export interface EventStoreDbServer {
  readonly connectionString: string;
  readonly port: number;
  readonly history: History;
  /** `abrupt`: connections break, as when the machine fails. */
  stop(how?: 'abrupt'): Promise<void>;
}

export interface ServerOptions {
  /** The data folder; kept. */
  readonly folder: string;
  /** Default: this machine alone may call. */
  readonly host?: string;
  /** Default: any free one. */
  readonly port?: number;
  /** PEM texts. Default: no TLS. */
  readonly tls?: { readonly key: string; readonly certificate: string };
  /** Who may call. Default: anybody. */
  readonly user?: { readonly name: string; readonly password: string };
}

/**
 * A server that speaks EventStoreDB's protocol for the calls that Rondo makes, on an embedded store: one node.
 * For tests and for a cluster on one machine where no EventStoreDB can be had.
 */
export async function startEventStoreDb({
  folder,
  host = '127.0.0.1',
  port = 0,
  tls,
  user,
}: ServerOptions): Promise<EventStoreDbServer> {
  const store = await openEmbeddedEventStore({ folder });
  const history = await History.of(store);
  const interceptors = user === undefined ? [] : [only(user)];
  const server = new Server({ 'grpc.max_receive_message_length': -1, interceptors });
  const credentials =
    tls === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(null, [
          { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.certificate) },
        ]);
  const subscriptions = embeddedSubscriptions({ folder, events: history.followed });
  const service: IStreamsServer = {
    append: (call, answer) => append(history, call, answer),
    read: (call) => void read(history, subscriptions, call),
    delete: (call, answer) => void end(history, call, answer as sendUnaryData<never>),
    tombstone: (call, answer) => void end(history, call, answer as sendUnaryData<never>),
    batchAppend: (call) => batchAppend(history, call),
  };
  server.addService(encodedBefore(StreamsService as ServiceDefinition), { ...service });
  server.addService(encodedBefore(PersistentSubscriptionsService as ServiceDefinition), {
    ...persistentSubscriptions(history, subscriptions),
  });
  server.addService(ServerFeaturesService as ServiceDefinition, { ...serverFeatures });
  const bound = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`${host}:${port}`, credentials, (error, at) => (error === null ? resolve(at) : reject(error))),
  );
  return {
    connectionString: `esdb://127.0.0.1:${bound}?tls=${tls !== undefined}`,
    port: bound,
    history,
    stop: async (how) => {
      if (how === 'abrupt') server.forceShutdown();
      else await Promise.race([new Promise<void>((resolve) => server.tryShutdown(() => resolve())), sleep(1_000)]);
      server.forceShutdown();
      await subscriptions.close();
      await history.live.close();
      await store.close();
    },
  };
}

/** The service, of which `read` also sends what is bytes already. */
function encodedBefore(service: ServiceDefinition): ServiceDefinition {
  const { read: method } = service;
  const responseSerialize = (response: unknown): Buffer =>
    Buffer.isBuffer(response) ? response : method!.responseSerialize(response);
  return { ...service, read: { ...method!, responseSerialize } };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms).unref());

/** Refuses calls without the user's name and password, but for that about features, which a real server answers to all. */
function only({ name, password }: { readonly name: string; readonly password: string }): ServerInterceptor {
  const wanted = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
  return (method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, go) => {
            if (metadata.get('authorization')[0] === wanted || method.path === FEATURES) return go(metadata);
            call.sendStatus({ code: status.UNAUTHENTICATED, details: 'Authentication failed.' });
          },
        }),
    });
}

const FEATURES = ServerFeaturesService.getSupportedMethods.path;

type Ending = ServerUnaryCall<DeleteReq, DeleteResp> | ServerUnaryCall<TombstoneReq, TombstoneResp>;

/** A deletion leaves the revisions, a tombstone nothing: both are events of the stream's metadata. */
async function end(history: History, call: Ending, answer: sendUnaryData<never>): Promise<void> {
  const name = call.request.getOptions()!.getStreamIdentifier()!;
  const stream = Buffer.from(name.getStreamName_asU8()).toString();
  const isTombstone = call.request instanceof pb.TombstoneReq;
  try {
    history.checkLeader();
    const head = await history.headOf(stream);
    const event = isTombstone
      ? { type: '$tombstone', data: '{}' }
      : { type: '$metadata', data: JSON.stringify({ $tb: head + 1 }) };
    const id = crypto.randomUUID();
    const written = await history.write(`$$${stream}`, 'any', [{ id, ...event, meta: '{}' }]);
    const response = isTombstone ? new pb.TombstoneResp() : new pb.DeleteResp();
    const position = isTombstone ? new pb.TombstoneResp.Position() : new pb.DeleteResp.Position();
    position.setCommitPosition(String(written.ok ? written.position : 0));
    position.setPreparePosition(String(written.ok ? written.position : 0));
    response.setPosition(position as never);
    answer(null, response as never);
  } catch (error) {
    answer(error as never);
  }
}
