import { Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import type { AgentFrame, BundleStore, GatewayFrame, LogStore, SessionHost, WorkerChannel } from '@rondo/ports';
import { sendBundle } from './bundles.ts';
import { WireChannel } from './channel.ts';
import type { Envelope } from './frames.ts';
import { AGENT_KINDS } from './kinds.ts';
import { LogReceiver } from './log-receiver.ts';
import { startGrpcServer, type GrpcListenOptions, type GrpcServer } from './server.ts';
import { namesOf } from './tls.ts';

export interface GrpcSessionHostOptions extends GrpcListenOptions {
  readonly logs: LogStore;
  readonly bundles: BundleStore;
  /** What is odd and no error: frames of a newer release. Default: nobody is told. */
  readonly onNotice?: (text: string) => void;
}

export interface GrpcSessionHost extends SessionHost {
  /** `host:port` where it listens; that which was asked for until it has started. */
  readonly address: string;
  /** What its health service answers. Default: serving from start to stop. */
  setServing(serving: boolean): void;
}

/** How long calls may take to end when the gateway stops. Milliseconds. */
const STOP_GRACE_MS = 2_000;

/** Takes sessions of workers over gRPC. With mutual TLS a worker's name must be in its certificate. */
export function grpcSessionHost(options: GrpcSessionHostOptions): GrpcSessionHost {
  return new Host(options);
}

type SessionCall = ServerDuplexStream<Envelope, Envelope>;

class Host implements GrpcSessionHost {
  address: string;
  private readonly options: GrpcSessionHostOptions;
  private readonly sessions = new Set<WorkerChannel>();
  private readonly logs: LogReceiver;
  private server: GrpcServer | undefined;

  constructor(options: GrpcSessionHostOptions) {
    this.options = options;
    this.address = options.listen;
    this.logs = new LogReceiver(options.logs);
  }

  async start(onSession: (channel: WorkerChannel) => void): Promise<void> {
    this.server = await startGrpcServer({
      ...this.options,
      // After a stop it comes back where it was.
      listen: this.address,
      protos: ['rondo/v1/worker.proto'],
      services: {
        'rondo.v1.WorkerSessions': {
          session: (call: SessionCall) => onSession(this.session(call)),
          appendLog: (call: Parameters<LogReceiver['serve']>[0]) => this.logs.serve(call),
          fetchBundle: (call: Parameters<typeof sendBundle>[1]) => void sendBundle(this.options.bundles, call),
        },
      },
    });
    this.address = this.server.address;
  }

  setServing(serving: boolean): void {
    this.server?.setServing(serving);
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    const stopped = server?.stop(STOP_GRACE_MS);
    for (const session of this.sessions) session.close('the gateway stops');
    this.sessions.clear();
    this.logs.end();
    await stopped;
  }

  private session(call: SessionCall): WorkerChannel {
    call.sendMetadata(new Metadata());
    const names = this.certified(call);
    const channel = new WireChannel<AgentFrame, GatewayFrame>(call, {
      peer: names === undefined ? call.getPeer() : `${[...names].join(', ')} at ${call.getPeer()}`,
      known: AGENT_KINDS,
      hangUp: () => call.destroy(),
      refuse: (frame) => refusalOf(frame, names),
      onNotice: this.options.onNotice ?? (() => undefined),
    });
    this.sessions.add(channel);
    call.on('close', () => this.sessions.delete(channel));
    return channel;
  }

  /** The names of the client's certificate; undefined: it was not asked for one. */
  private certified(call: SessionCall): ReadonlySet<string> | undefined {
    if (this.options.tls?.clientCa === undefined) return undefined;
    return namesOf(call.getAuthContext().sslPeerCertificate ?? {});
  }
}

function refusalOf(frame: AgentFrame, names: ReadonlySet<string> | undefined): string | undefined {
  if (frame.kind !== 'hello' || names === undefined || names.has(frame.hello.worker)) return undefined;
  return `worker '${frame.hello.worker}' is not in its certificate, which is for ${[...names].map((name) => `'${name}'`).join(', ') || 'nobody'}`;
}
