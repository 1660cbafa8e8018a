import { setImmediate as turn } from 'node:timers/promises';
import type {
  AgentFrame,
  BundleStore,
  GatewayChannel,
  GatewayFrame,
  GatewayLine,
  LogStore,
  SessionHost,
  WorkerChannel,
  LogLine,
} from '@rondo/ports';
import { anAssignment, anAttempt, aHello, memoryBundles, recordingLogs, type RecordingLogs } from './sessions-kit.ts';

export interface SessionStores {
  readonly logs: LogStore;
  readonly bundles: BundleStore;
}

export interface SessionsFixture {
  readonly host: SessionHost;
  /** A line to the host's address, which is known once the host has started. */
  readonly line: () => GatewayLine;
  readonly dispose: () => Promise<void>;
}

/** What one end has heard. */
class Heard<Frame> {
  readonly frames: Frame[] = [];
  readonly closed: Promise<string>;
  closes = 0;
  private onChange: () => void = () => undefined;

  constructor(channel: {
    listen(events: { onFrame: (frame: Frame) => void; onClose: (reason: string) => void }): void;
  }) {
    this.closed = new Promise((resolve) =>
      channel.listen({
        onFrame: (frame) => {
          this.frames.push(frame);
          this.onChange();
        },
        onClose: (reason) => {
          this.closes++;
          resolve(reason);
        },
      }),
    );
  }

  async until(count: number): Promise<Frame[]> {
    while (this.frames.length < count) await new Promise<void>((resolve) => (this.onChange = resolve));
    return this.frames;
  }
}

const beat = (n: number): AgentFrame => ({ kind: 'beat', n });
const beaten = (n: number): GatewayFrame => ({ kind: 'beaten', n });
const counting = <T>(count: number, of: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => of(n));

/** The rules of the ports SessionHost, GatewayLine and Channel. */
export function describeSessionsContract(
  name: string,
  factory: (stores: SessionStores) => Promise<SessionsFixture>,
): void {
  describe(`${name}: sessions`, () => {
    let fixture: SessionsFixture;
    let logs: RecordingLogs;
    let bundles: BundleStore;
    let sessions: WorkerChannel[];
    let arrived: () => void;
    let lines: GatewayLine[];

    const start = () =>
      fixture.host.start((channel) => {
        sessions.push(channel);
        arrived();
      });
    const aLine = (): GatewayLine => {
      const line = fixture.line();
      lines.push(line);
      return line;
    };
    const session = async (index: number): Promise<WorkerChannel> => {
      while (sessions.length <= index) await new Promise<void>((resolve) => (arrived = resolve));
      return sessions[index]!;
    };
    const pair = async (): Promise<{ worker: GatewayChannel; gateway: WorkerChannel }> => {
      const index = sessions.length;
      const worker = await aLine().connect();
      return { worker, gateway: await session(index) };
    };

    beforeEach(async () => {
      sessions = [];
      lines = [];
      arrived = () => undefined;
      logs = recordingLogs();
      bundles = memoryBundles();
      fixture = await factory({ logs, bundles });
      await start();
    });
    afterEach(async () => {
      for (const line of lines) await line.close();
      await fixture.host.stop();
      await fixture.dispose();
    });

    it('carries frames both ways as they are, in order', async () => {
      const { worker, gateway } = await pair();
      const atGateway = new Heard<AgentFrame>(gateway);
      const atWorker = new Heard<GatewayFrame>(worker);
      const said: AgentFrame[] = [
        { kind: 'hello', hello: aHello({ release: 'ü 🚀', labels: { zone: '"a\\b"\n' } }) },
        { kind: 'claims', claims: [{ partition: 0, generation: 7, running: ['a'], ended: [] }] },
        { kind: 'offer', slots: 0 },
        beat(1),
        { kind: 'call', n: 1, attempt: 'a', method: 'xcom', args: [null, 1.5, { key: [true] }] },
      ];
      const answered: GatewayFrame[] = [
        { kind: 'welcome', gateway: 'g1', release: '1', leaseMs: 30_000 },
        { kind: 'assign', partition: 3, generation: 2, assignments: [anAssignment('a'), anAssignment('b')] },
        { kind: 'answer', n: 1, value: null },
        { kind: 'answer', n: 2, error: 'no' },
        { kind: 'drain' },
      ];
      for (const frame of said) worker.send(frame);
      for (const frame of answered) gateway.send(frame);
      expect(await atGateway.until(said.length)).toEqual(said);
      expect(await atWorker.until(answered.length)).toEqual(answered);
    });

    it('keeps what came before somebody listens, and the close that came after it', async () => {
      const { worker, gateway } = await pair();
      for (let n = 1; n <= 10; n++) worker.send(beat(n));
      worker.close('done');
      for (let i = 0; i < 20; i++) await turn();
      const answers: AgentFrame[] = [];
      await new Promise<void>((resolve) =>
        gateway.listen({ onFrame: (frame) => answers.push(frame), onClose: () => resolve() }),
      );
      expect(answers).toEqual(counting(10, (n) => beat(n + 1)));
    });

    it('answers from within a listener', async () => {
      const { worker, gateway } = await pair();
      gateway.listen({
        onFrame: (frame) => frame.kind === 'beat' && gateway.send(beaten(frame.n)),
        onClose: () => undefined,
      });
      const atWorker = new Heard<GatewayFrame>(worker);
      for (let n = 0; n < 100; n++) worker.send(beat(n));
      expect(await atWorker.until(100)).toEqual(counting(100, beaten));
    });

    it('carries many frames both ways at once', async () => {
      const { worker, gateway } = await pair();
      const atGateway = new Heard<AgentFrame>(gateway);
      const atWorker = new Heard<GatewayFrame>(worker);
      const count = 20_000;
      for (let n = 0; n < count; n++) {
        worker.send(beat(n));
        gateway.send(beaten(n));
      }
      expect(await atGateway.until(count)).toEqual(counting(count, beat));
      expect(await atWorker.until(count)).toEqual(counting(count, beaten));
    });

    it('carries large frames and large lists, between small ones', async () => {
      const { worker, gateway } = await pair();
      const atGateway = new Heard<AgentFrame>(gateway);
      const atWorker = new Heard<GatewayFrame>(worker);
      const text = 'ü'.repeat(1_500_000);
      const call: AgentFrame = { kind: 'call', n: 1, attempt: 'a', method: 'putBlob', args: [text] };
      for (const frame of [beat(1), call, beat(2)]) worker.send(frame);
      const assignments = counting(200, (n) => anAssignment(`a${n}`, 'x'.repeat(40_000)));
      gateway.send(beaten(1));
      gateway.send({ kind: 'assign', partition: 1, generation: 9, assignments });
      gateway.send(beaten(2));
      expect(await atGateway.until(3)).toEqual([beat(1), call, beat(2)]);
      await atWorker.until(3);
      while (atWorker.frames.at(-1)?.kind !== 'beaten') await atWorker.until(atWorker.frames.length + 1);
      const [first, ...rest] = atWorker.frames;
      expect(first).toEqual(beaten(1));
      expect(rest.pop()).toEqual(beaten(2));
      const got = rest.flatMap((frame) => (frame.kind === 'assign' ? [frame] : []));
      expect(got.every(({ partition, generation }) => partition === 1 && generation === 9)).toBe(true);
      expect(got.flatMap((frame) => frame.assignments)).toEqual(assignments);
    });

    it('is closed by the worker: what it sent before arrives, and both are told why, once', async () => {
      const { worker, gateway } = await pair();
      const atGateway = new Heard<AgentFrame>(gateway);
      const atWorker = new Heard<GatewayFrame>(worker);
      for (let n = 0; n < 100; n++) worker.send(beat(n));
      worker.close('the worker leaves: ü');
      worker.close('again');
      expect(await atGateway.closed).toContain('the worker leaves: ü');
      expect(await atWorker.closed).toContain('the worker leaves: ü');
      expect(atGateway.frames).toHaveLength(100);
      await turn();
      expect([atGateway.closes, atWorker.closes]).toEqual([1, 1]);
    });

    it('is closed by the gateway: what it sent before arrives, and both are told why, once', async () => {
      const { worker, gateway } = await pair();
      const atGateway = new Heard<AgentFrame>(gateway);
      const atWorker = new Heard<GatewayFrame>(worker);
      for (let n = 0; n < 100; n++) gateway.send(beaten(n));
      gateway.close('another process of this worker has come');
      gateway.close('again');
      expect(await atWorker.closed).toContain('another process of this worker has come');
      expect(await atGateway.closed).toContain('another process of this worker has come');
      expect(atWorker.frames).toHaveLength(100);
      await turn();
      expect([atGateway.closes, atWorker.closes]).toEqual([1, 1]);
    });

    it('drops what is sent on a closed channel, and what arrives there', async () => {
      const { worker, gateway } = await pair();
      const atGateway = new Heard<AgentFrame>(gateway);
      const atWorker = new Heard<GatewayFrame>(worker);
      worker.close('enough');
      worker.send(beat(1));
      gateway.send(beaten(1));
      await Promise.all([atGateway.closed, atWorker.closed]);
      gateway.send(beaten(2));
      worker.send(beat(2));
      for (let i = 0; i < 20; i++) await turn();
      expect([...atGateway.frames, ...atWorker.frames]).toEqual([]);
    });

    it('keeps sessions apart, of one line and of several', async () => {
      const line = aLine();
      const workers = [await line.connect(), await line.connect(), await aLine().connect()];
      const heard: Heard<AgentFrame>[] = [];
      for (const [index, worker] of workers.entries()) {
        heard.push(new Heard(await session(index)));
        worker.send(beat(index));
      }
      workers[0]!.close('one of three');
      expect(await heard[0]!.closed).toContain('one of three');
      for (const [index, worker] of workers.entries()) worker.send(beat(10 + index));
      expect(await heard[1]!.until(2)).toEqual([beat(1), beat(11)]);
      expect(await heard[2]!.until(2)).toEqual([beat(2), beat(12)]);
    });

    it('is refused by a host that has stopped, which closes what there was, and taken when it starts again', async () => {
      const { worker } = await pair();
      const atWorker = new Heard<GatewayFrame>(worker);
      await fixture.host.stop();
      expect(await atWorker.closed).not.toBe('');
      const line = aLine();
      await expect(line.connect()).rejects.toThrow();
      await expect(line.appendLog(anAttempt(), [{ at: 1, stream: 'log', text: 'x' }])).rejects.toThrow();
      await start();
      const again = await connected(line);
      const atGateway = new Heard<AgentFrame>(await session(1));
      again.send(beat(1));
      expect(await atGateway.until(1)).toEqual([beat(1)]);
    });

    it('ends the sessions of a line that is closed', async () => {
      const line = aLine();
      const worker = new Heard(await line.connect());
      const atGateway = new Heard<AgentFrame>(await session(0));
      await line.close();
      expect(await atGateway.closed).not.toBe('');
      expect(await worker.closed).not.toBe('');
    });

    it('stores the lines of logs in the order of the calls, once each, before it resolves', async () => {
      const line = aLine();
      const attempt = anAttempt({ mapIndex: [2, 5] });
      const calls = counting(200, (n) => line.appendLog(attempt, [{ at: n, stream: 'stdout', text: `line ${n}` }]));
      await calls[150];
      expect(logs.stored.length).toBeGreaterThan(150);
      await Promise.all(calls);
      expect(logs.stored.map(({ at }) => at)).toEqual(counting(200, (n) => n));
      expect(logs.attempts[0]).toEqual(attempt);
    });

    it('takes large logs', async () => {
      const line = aLine();
      const text = 'ü'.repeat(200_000);
      const given = counting(40, (at) => ({ at, stream: 'stderr' as const, level: 'warn' as const, text }));
      await line.appendLog(anAttempt(), given);
      expect(logs.stored).toEqual(given);
    });

    it('tells when lines were not stored, and goes on', async () => {
      const line = aLine();
      logs.failNext('the disk is full');
      await expect(line.appendLog(anAttempt(), [{ at: 1, stream: 'log', text: 'lost' }])).rejects.toThrow(
        'the disk is full',
      );
      await line.appendLog(anAttempt(), [{ at: 2, stream: 'log', text: 'kept' }]);
      expect(logs.stored.map(({ text }) => text)).toEqual(['kept']);
    });

    it('stores what is sent again once, whole or the rest of it, and after what came before', async () => {
      const [line, attempt] = [aLine(), anAttempt()];
      const piece = (from: number, count: number): LogLine[] =>
        counting(count, (n) => ({
          at: n,
          stream: 'log',
          text: `line ${from + n}`,
          ...(n === 0 ? { mark: `s.${from}` } : {}),
        }));
      const [one, two, three] = [piece(0, 15), piece(15, 12), piece(27, 3)];
      await line.appendLog(attempt, one);
      await line.appendLog(attempt, one, true);
      expect(logs.stored).toEqual(one);
      // The store has the beginning of it alone.
      logs.stored.push(...two.slice(0, 7));
      await line.appendLog(attempt, two, true);
      expect(logs.stored).toEqual([...one, ...two]);
      const release = logs.hang();
      const calls = [line.appendLog(attempt, three), line.appendLog(attempt, three, true)];
      release();
      await Promise.all(calls);
      expect(logs.stored).toEqual([...one, ...two, ...three]);
      await line.appendLog(attempt, piece(30, 2), true);
      expect(logs.stored).toHaveLength(32);
    });

    it('does not let a log store that hangs delay frames', async () => {
      const line = aLine();
      const worker = await line.connect();
      const gateway = await session(0);
      const release = logs.hang();
      const pending = counting(50, (at) =>
        line.appendLog(anAttempt(), [{ at, stream: 'log', text: 'x'.repeat(100_000) }]),
      );
      const atGateway = new Heard<AgentFrame>(gateway);
      const atWorker = new Heard<GatewayFrame>(worker);
      for (let n = 0; n < 100; n++) {
        worker.send(beat(n));
        gateway.send(beaten(n));
      }
      expect(await atGateway.until(100)).toEqual(counting(100, beat));
      expect(await atWorker.until(100)).toEqual(counting(100, beaten));
      expect(logs.stored).toEqual([]);
      release();
      await Promise.all(pending);
      expect(logs.stored.map(({ at }) => at)).toEqual(counting(50, (n) => n));
    });

    it('fetches the files of a bundle, byte by byte', async () => {
      const files = new Map<string, Uint8Array>([
        ['dags/etl.ts', Buffer.from("export default 'ü'")],
        ['empty', new Uint8Array()],
        ['large.bin', Uint8Array.from({ length: 3_000_000 }, (_, i) => i % 251)],
        ...counting(300, (n): [string, Uint8Array] => [`many/${n}`, Buffer.from(String(n))]),
      ]);
      const hash = await bundles.putBundle(files);
      const got = await aLine().fetchBundle(hash);
      expect([...got!.keys()].sort()).toEqual([...files.keys()].sort());
      for (const [path, bytes] of files) expect(Buffer.compare(got!.get(path)!, bytes)).toBe(0);
    });

    it('answers nothing for a bundle that the store does not have', async () => {
      expect(await aLine().fetchBundle('0'.repeat(64))).toBeUndefined();
    });

    /** A gateway that has just come back may be missed once or twice. */
    async function connected(line: GatewayLine): Promise<GatewayChannel> {
      for (let tries = 0; ; tries++) {
        try {
          return await line.connect();
        } catch (error) {
          if (tries === 50) throw error;
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
    }
  });
}
