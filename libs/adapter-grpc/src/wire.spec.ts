import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createRequire } from 'node:module';
import { Client, credentials, Metadata, status, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js';
import { memoryBundles, recordingLogs, testAuthority } from '@rondo/testing';
import type { AgentFrame, AgentHello, GatewayFrame, GatewayLine, WorkerChannel } from '@rondo/ports';
import type { Envelope } from './frames.ts';
import {
  grpcGatewayLine,
  grpcSessionHost,
  loadProtos,
  serviceOf,
  type GrpcGatewayLineOptions,
  type GrpcSessionHost,
  type GrpcSessionHostOptions,
} from './index.ts';
import { methodOf } from './protos.ts';

const aHello = (worker: string): AgentFrame => ({ kind: 'hello', hello: { worker } as AgentHello });
const beat = (n: number): AgentFrame => ({ kind: 'beat', n });
const beaten = (n: number): GatewayFrame => ({ kind: 'beaten', n });

/** A connection that can be cut without either end being told. */
class Wire {
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  private held = false;

  constructor(target: string) {
    const [host, port] = target.split(':') as [string, string];
    this.server = createServer((near) => {
      const far = connect(Number(port), host);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.sockets.add(from);
        from.on('error', () => undefined);
        from.on('close', () => to.destroy());
        from.pipe(to);
        if (this.held) from.pause();
      }
    });
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  hold(): void {
    this.held = true;
    for (const socket of this.sockets) socket.pause();
  }

  release(): void {
    this.held = false;
    for (const socket of this.sockets) socket.resume();
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}

describe('sessions over gRPC', () => {
  let cleanUps: (() => unknown)[];
  let notices: string[];
  beforeEach(() => {
    cleanUps = [];
    notices = [];
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp();
  });

  async function aHost(options: Partial<GrpcSessionHostOptions> = {}) {
    const sessions: WorkerChannel[] = [];
    let arrived: () => void = () => undefined;
    const host = grpcSessionHost({
      listen: '127.0.0.1:0',
      logs: recordingLogs(),
      bundles: memoryBundles(),
      onNotice: (text) => notices.push(text),
      ...options,
    });
    await host.start((channel) => {
      sessions.push(channel);
      arrived();
    });
    cleanUps.push(() => host.stop());
    const session = async (): Promise<WorkerChannel> => {
      while (sessions.length === 0) await new Promise<void>((resolve) => (arrived = resolve));
      return sessions.shift()!;
    };
    return { host, session };
  }

  function aLine(options: GrpcGatewayLineOptions): GatewayLine {
    const line = grpcGatewayLine({ onNotice: (text) => notices.push(text), ...options });
    cleanUps.push(() => line.close());
    return line;
  }

  /** A client that says what it likes. */
  function rawSession({ address }: GrpcSessionHost): ClientDuplexStream<Envelope, Envelope> {
    const client = new Client(address, credentials.createInsecure());
    cleanUps.push(() => client.close());
    const service = serviceOf(loadProtos(['rondo/v1/worker.proto']), 'rondo.v1.WorkerSessions');
    const { path, requestSerialize, responseDeserialize } = methodOf<Envelope, Envelope>(service, 'Session');
    return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata(), {});
  }

  const closeOf = (channel: { listen: WorkerChannel['listen'] }, frames: AgentFrame[] = []): Promise<string> =>
    new Promise((resolve) => channel.listen({ onFrame: (frame) => frames.push(frame), onClose: resolve }));

  it('passes over frames of a kind that is not known, and tells of each kind once', async () => {
    const { host, session } = await aHost();
    const raw = rawSession(host);
    const frame = (kind: string, body: object) => ({ kind, payload: Buffer.from(JSON.stringify({ kind, ...body })) });
    raw.write({ frames: [frame('tomorrow', { x: 1 }), frame('beat', { n: 1 }), frame('tomorrow', {})] });
    raw.write({ frames: [frame('constructor', {}), frame('beat', { n: 2 })], close: { reason: 'enough' } });
    const frames: AgentFrame[] = [];
    expect(await closeOf(await session(), frames)).toBe('enough');
    expect(frames).toEqual([beat(1), beat(2)]);
    expect(notices).toEqual([expect.stringContaining("'tomorrow'"), expect.stringContaining("'constructor'")]);
  });

  it.each([
    ['no JSON', Buffer.from('{"kind":"beat",'), "frame 'beat' is broken"],
    ['no object', Buffer.from('7'), 'not an object'],
    ['another kind than its own', Buffer.from('{"kind":"offer","slots":1}'), "says that it is 'offer'"],
  ])('closes a session whose frame is %s, and says why to both', async (_name, payload, why) => {
    const { host, session } = await aHost();
    const raw = rawSession(host);
    const told = new Promise<string>((resolve) =>
      raw.on('data', ({ close }: Envelope) => close !== null && resolve(close!.reason)),
    );
    raw.write({ frames: [{ kind: 'beat', payload }] });
    expect(await closeOf(await session())).toContain(why);
    expect(await told).toContain(why);
  });

  it('tells of a worker that is gone without a word', async () => {
    const { host, session } = await aHost();
    const raw = rawSession(host);
    raw.on('error', () => undefined);
    raw.write({ frames: [] });
    const closed = closeOf(await session());
    raw.cancel();
    expect(await closed).toContain('without a word');
  });

  it('finds a connection that is dead though nobody closed it, from both ends', async () => {
    const { host, session } = await aHost({ keepaliveMs: 200 });
    const wire = new Wire(host.address);
    cleanUps.push(() => wire.close());
    const worker = await aLine({ address: await wire.open(), keepaliveMs: 200 }).connect();
    const atGateway = closeOf(await session());
    const atWorker = new Promise<string>((resolve) => worker.listen({ onFrame: () => undefined, onClose: resolve }));
    wire.hold();
    expect(await atWorker).not.toBe('');
    expect(await atGateway).not.toBe('');
  });

  it('keeps what the wire does not take, in order, until it does', async () => {
    const { host, session } = await aHost();
    const wire = new Wire(host.address);
    cleanUps.push(() => wire.close());
    const worker = await aLine({ address: await wire.open() }).connect();
    const gateway = await session();
    const atGateway: AgentFrame[] = [];
    const atWorker: GatewayFrame[] = [];
    const closed = closeOf(gateway, atGateway);
    const arrived = new Promise<void>((resolve) =>
      worker.listen({
        onFrame: (frame) => atWorker.push(frame) === 600 && resolve(),
        onClose: () => undefined,
      }),
    );
    wire.hold();
    const text = 'x'.repeat(100_000);
    const said = Array.from({ length: 300 }, (_, n): AgentFrame[] => [
      { kind: 'call', n, attempt: 'a', method: 'm', args: [text] },
      beat(n),
    ]).flat();
    const answers = Array.from({ length: 300 }, (_, n): GatewayFrame[] => [
      { kind: 'answer', n, value: text },
      beaten(n),
    ]).flat();
    for (const [i, frame] of said.entries()) {
      worker.send(frame);
      gateway.send(answers[i]!);
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    wire.release();
    await arrived;
    worker.close('done');
    expect(await closed).toBe('done');
    expect(atGateway).toEqual(said);
    expect(atWorker).toEqual(answers);
  });

  it('says that a gateway cannot be reached, or does not take the session in time', async () => {
    const { host } = await aHost();
    await host.stop();
    await expect(aLine({ address: host.address }).connect()).rejects.toThrow(
      `gateway ${host.address} cannot be reached`,
    );
    const silent = createServer((socket) => cleanUps.push(() => socket.destroy()));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => silent.close());
    const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    await expect(aLine({ address, connectMs: 50 }).connect()).rejects.toThrow('within 50 ms');
  });

  it('says where it cannot listen', async () => {
    const { host } = await aHost();
    const other = grpcSessionHost({ listen: host.address, logs: recordingLogs(), bundles: memoryBundles() });
    await expect(other.start(() => undefined)).rejects.toThrow(`cannot listen on '${host.address}'`);
  });

  describe('with certificates', () => {
    const ours = testAuthority();
    const theirs = testAuthority('somebody else');

    it('takes a worker whose name its certificate has, and no other', async () => {
      const { host, session } = await aHost({ tls: { ...ours.of('g1'), clientCa: ours.ca } });
      const tls = { ca: ours.ca, ...ours.of('w1') };
      const [good, bad] = [aLine({ address: host.address, tls }), aLine({ address: host.address, tls })];
      const worker = await good.connect();
      const gateway = await session();
      worker.send(aHello('w1'));
      worker.close('done');
      const frames: AgentFrame[] = [];
      await closeOf(gateway, frames);
      expect(frames).toEqual([aHello('w1')]);
      expect(gateway.peer).toContain('w1');
      const impostor = await bad.connect();
      const heard: AgentFrame[] = [];
      const closed = closeOf(await session(), heard);
      impostor.send(aHello('w2'));
      expect(await closed).toBe("worker 'w2' is not in its certificate, which is for 'w1', 'localhost'");
      expect(heard).toEqual([]);
    });

    it.each([
      ['no certificate', { ca: ours.ca }],
      ['one of another authority', { ca: ours.ca, ...theirs.of('w1') }],
      ['no trust in the gateway', { ca: theirs.ca, ...ours.of('w1') }],
      ['another name for the gateway', { ca: ours.ca, ...ours.of('w1'), serverName: 'g2' }],
    ])('takes no worker with %s', async (_name, tls) => {
      const { host } = await aHost({ tls: { ...ours.of('g1'), clientCa: ours.ca } });
      const line = aLine({ address: host.address, tls });
      await expect(line.connect()).rejects.toThrow('cannot be reached');
      await expect(line.fetchBundle('0'.repeat(64))).rejects.toThrow('cannot be had');
    });

    it('takes a gateway by the name that it is to have', async () => {
      const { host } = await aHost({ tls: ours.of('g1') });
      const line = aLine({ address: host.address, tls: { ca: ours.ca, serverName: 'g1' } });
      expect((await line.connect()).peer).toBe(host.address);
    });

    it('takes nobody in plain text', async () => {
      const { host } = await aHost({ tls: ours.of('g1') });
      await expect(aLine({ address: host.address }).connect()).rejects.toThrow('cannot be reached');
    });
  });

  it('answers whether it serves, also to those who watch, until it stops', async () => {
    const { host } = await aHost();
    const client = new Client(host.address, credentials.createInsecure());
    cleanUps.push(() => client.close());
    interface Answer {
      readonly status: string;
    }
    const service = serviceOf(loadProtos(['grpc/health/v1/health.proto']), 'grpc.health.v1.Health');
    const check = methodOf<{ service: string }, Answer>(service, 'Check');
    const ask = (name: string) =>
      new Promise<string>((resolve, reject) =>
        client.makeUnaryRequest(
          check.path,
          check.requestSerialize,
          check.responseDeserialize,
          { service: name },
          (error, answer) => (error === null ? resolve(answer!.status) : reject(error as Error)),
        ),
      );
    const watch = methodOf<{ service: string }, Answer>(service, 'Watch');
    const told: string[] = [];
    const watching = client.makeServerStreamRequest(watch.path, watch.requestSerialize, watch.responseDeserialize, {
      service: 'rondo.v1.WorkerSessions',
    });
    const first = new Promise<void>((resolve) =>
      watching.on('data', (answer: Answer) => {
        told.push(answer.status);
        resolve();
      }),
    );
    const ended = new Promise<void>((resolve) => watching.on('end', resolve));
    await first;
    expect(await ask('')).toBe('SERVING');
    expect(await ask('rondo.v1.WorkerSessions')).toBe('SERVING');
    const unknown = await ask('rondo.v1.Other').catch((error: unknown) => error as ServiceError);
    expect(unknown).toMatchObject({ code: status.NOT_FOUND });
    host.setServing(false);
    expect(await ask('')).toBe('NOT_SERVING');
    host.setServing(true);
    expect(await ask('')).toBe('SERVING');
    await host.stop();
    await ended;
    expect(told).toEqual(['SERVING', 'NOT_SERVING', 'SERVING', 'NOT_SERVING']);
  });

  it('tells which services and messages it has', async () => {
    const { host } = await aHost();
    const client = new Client(host.address, credentials.createInsecure());
    cleanUps.push(() => client.close());
    const folder = createRequire(import.meta.url).resolve(
      '@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto',
    );
    const service = serviceOf(loadProtos([folder]), 'grpc.reflection.v1.ServerReflection');
    interface Answer {
      readonly listServicesResponse: { readonly service: readonly { readonly name: string }[] } | null;
      readonly fileDescriptorResponse: { readonly fileDescriptorProto: readonly Uint8Array[] } | null;
    }
    const { path, requestSerialize, responseDeserialize } = methodOf<object, Answer>(service, 'ServerReflectionInfo');
    const ask = (request: object) =>
      new Promise<Answer>((resolve, reject) => {
        const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
        call.on('data', resolve);
        call.on('error', reject);
        call.write(request);
        call.end();
      });
    const { listServicesResponse } = await ask({ listServices: '' });
    expect(listServicesResponse!.service.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['rondo.v1.WorkerSessions', 'grpc.health.v1.Health']),
    );
    const { fileDescriptorResponse } = await ask({ fileContainingSymbol: 'rondo.v1.Attempt' });
    expect(Buffer.from(fileDescriptorResponse!.fileDescriptorProto[0]!).toString()).toContain('map_index');
  });
});
