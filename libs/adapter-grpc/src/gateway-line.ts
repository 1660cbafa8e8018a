import { Client, Metadata, status, type CallOptions, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js';
import type { AttemptRef } from '@rondo/domain';
import type { AgentFrame, GatewayChannel, GatewayFrame, GatewayLine, LogLine } from '@rondo/ports';
import { BundleFiles, type BundleChunk, type BundleRequest } from './bundles.ts';
import { WireChannel } from './channel.ts';
import type { Envelope } from './frames.ts';
import { GATEWAY_KINDS } from './kinds.ts';
import { LogSender } from './log-sender.ts';
import type { LogChunk, LogCredit } from './log-wire.ts';
import { loadProtos, methodOf, serviceOf } from './protos.ts';
import { keepaliveOptions, MAX_MESSAGE } from './server.ts';
import { clientCredentials, nameOptions, type ClientTls } from './tls.ts';

export interface GrpcGatewayLineOptions {
  /** `host:port`. */
  readonly address: string;
  /** Default: plain text. */
  readonly tls?: ClientTls;
  /** How long a gateway has to take a session. Milliseconds, default 10,000. */
  readonly connectMs?: number;
  /** How long a bundle may take to arrive. Milliseconds, default 120,000. */
  readonly bundleMs?: number;
  /** A connection from which nothing comes back for twice as long is given up. Milliseconds, default 10,000. */
  readonly keepaliveMs?: number;
  /** What is odd and no error: frames of a newer release. Default: nobody is told. */
  readonly onNotice?: (text: string) => void;
}

/** Reaches a gateway over gRPC. */
export function grpcGatewayLine(options: GrpcGatewayLineOptions): GatewayLine {
  return new Line(options);
}

class Line implements GatewayLine {
  readonly address: string;
  private readonly options: GrpcGatewayLineOptions;
  private readonly service = serviceOf(loadProtos(['rondo/v1/worker.proto']), 'rondo.v1.WorkerSessions');
  /** A connection of its own: what is large never stands before a heartbeat. */
  private readonly bulk: Client;
  private readonly frames: Client;
  private readonly sessions = new Set<GatewayChannel>();
  private readonly logs: LogSender;

  constructor(options: GrpcGatewayLineOptions) {
    this.options = options;
    this.address = options.address;
    this.frames = clientOf(options);
    this.bulk = clientOf(options);
    this.logs = new LogSender(() => this.duplex<LogChunk, LogCredit>(this.bulk, 'AppendLog'));
  }

  connect(): Promise<GatewayChannel> {
    const { connectMs = 10_000, onNotice = () => undefined } = this.options;
    const call = this.duplex<Envelope, Envelope>(this.frames, 'Session');
    const channel = new WireChannel<GatewayFrame, AgentFrame>(call, {
      peer: this.address,
      known: GATEWAY_KINDS,
      hangUp: () => call.cancel(),
      onNotice,
    });
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        call.cancel();
        reject(new Error(`gateway ${this.address} has not taken the session within ${connectMs} ms`));
      }, connectMs);
      call.once('metadata', () => {
        clearTimeout(timer);
        this.sessions.add(channel);
        resolve(channel);
      });
      call.once('error', (error) => {
        clearTimeout(timer);
        reject(new Error(`gateway ${this.address} cannot be reached: ${error.message}`));
      });
      call.once('status', () => this.sessions.delete(channel));
    });
  }

  appendLog(attempt: AttemptRef, lines: readonly LogLine[], again?: boolean): Promise<void> {
    return this.logs.append(attempt, lines, again);
  }

  fetchBundle(hash: string): Promise<ReadonlyMap<string, Uint8Array> | undefined> {
    const { path, requestSerialize, responseDeserialize } = methodOf<BundleRequest, BundleChunk>(
      this.service,
      'FetchBundle',
    );
    const deadline = Date.now() + (this.options.bundleMs ?? 120_000);
    const call = this.bulk.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { hash },
      new Metadata(),
      { deadline },
    );
    const received = new BundleFiles();
    return new Promise((resolve, reject) => {
      call.on('data', (chunk: BundleChunk) => {
        try {
          received.add(chunk);
        } catch (error) {
          reject(error as Error);
          call.cancel();
        }
      });
      call.on('end', () => resolve(received.files));
      call.on('error', (error: ServiceError) => {
        if (error.code === status.NOT_FOUND) resolve(undefined);
        else reject(new Error(`bundle '${hash}' cannot be had from gateway ${this.address}: ${error.message}`));
      });
    });
  }

  async close(): Promise<void> {
    for (const session of this.sessions) session.close('the worker leaves');
    this.logs.close();
    this.frames.close();
    this.bulk.close();
  }

  private duplex<Request, Response>(
    client: Client,
    method: string,
    options: CallOptions = {},
  ): ClientDuplexStream<Request, Response> {
    const { path, requestSerialize, responseDeserialize } = methodOf<Request, Response>(this.service, method);
    return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata(), options);
  }
}

function clientOf({ address, tls, keepaliveMs }: GrpcGatewayLineOptions): Client {
  return new Client(address, clientCredentials(tls, address), {
    ...keepaliveOptions(keepaliveMs),
    'grpc.max_receive_message_length': MAX_MESSAGE,
    'grpc.max_send_message_length': MAX_MESSAGE,
    // Trying again is the caller's business, and so is how long to wait before.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1_000,
    'grpc.use_local_subchannel_pool': 1,
    ...nameOptions(tls, address),
  });
}
