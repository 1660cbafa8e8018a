import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { otlpTraceSink } from '@rondo/adapter-otlp';
import { RunTracer, traceOfRun } from '@rondo/application';
import type { ConnectOptions, PersistentSubscriptions, RecordedEvent, Verdict } from '@rondo/ports';
import { aDefinition, aTask, memoryEventStore, type MemoryEventStore } from '@rondo/testing';
import { memoryBlobs, Node } from './harness.ts';

interface WireSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code?: number };
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
  readonly events: readonly { readonly name: string }[];
}

interface Request {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: WireSpan['attributes'] };
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
}

/** A collector that takes OTLP over HTTP, unless it is told to refuse. */
class Collector {
  readonly requests: Request[] = [];
  status = 200;
  private readonly server: Server = createServer((request, response) => {
    void this.take(request).then(() => response.writeHead(this.status).end('{}'));
  });

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  private async take(request: IncomingMessage): Promise<void> {
    expect(request.url).toBe('/v1/traces');
    const zipped = request.headers['content-encoding'] === 'gzip';
    const body = zipped ? JSON.parse(String(gunzipSync(await bytesOf(request)))) : await json(request);
    if (this.status === 200) this.requests.push(body as Request);
  }

  get spans(): readonly WireSpan[] {
    return this.requests.flatMap((each) =>
      each.resourceSpans.flatMap((of) => of.scopeSpans.flatMap(({ spans }) => spans)),
    );
  }

  close(): Promise<unknown> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

let [collector, url]: [Collector, string] = [undefined!, ''];
let store: MemoryEventStore;
let node: Node;
beforeEach(async () => {
  collector = new Collector();
  url = await collector.open();
  store = memoryEventStore();
  node = await new Node(store, memoryBlobs()).start();
});
afterEach(async () => {
  await node.crash();
  await collector.close();
});

const attributesOf = ({ attributes }: Pick<WireSpan, 'attributes'>): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

/** Consumers as the store would have them; gives each event to all. */
async function aTracer(problems: string[] = []) {
  let connected: ConnectOptions | undefined;
  const subscriptions = {
    create: async () => undefined,
    connect: (options: ConnectOptions) => {
      connected = options;
      return { stop: async () => undefined };
    },
  } as Partial<PersistentSubscriptions> as PersistentSubscriptions;
  const sink = otlpTraceSink({
    url,
    resource: { 'service.name': 'rondo', 'service.version': '1.2.3' },
    timeoutMs: 1_000,
  });
  const tracer = new RunTracer({
    ...{ store, subscriptions, sink, pauseMs: 1 },
    onProblem: (problem) => problems.push(problem),
    onDrop: (error) => problems.push(String(error)),
  });
  await tracer.start();
  const give = async (event: RecordedEvent): Promise<Verdict> => connected!.onEvent(event, 0);
  return { tracer, give };
}

async function aRun(): Promise<RecordedEvent> {
  await node.publish(aDefinition('d', [aTask('a', { retries: 1, retryDelayMs: 0 }), aTask('b', { upstream: ['a'] })]));
  node.worker.outcome = ({ id }) =>
    id.startsWith('d:r:a:1')
      ? { kind: 'failed', error: { kind: 'exception', type: 'TypeError', message: 'the secret' }, retryable: true }
      : { kind: 'success' };
  await node.trigger('d', { runId: 'r' });
  return node.until('dag-d', 'RunClosed');
}

describe('the trace of a run', () => {
  it('has a span for the run and one for each attempt, under the ids that tasks are given', async () => {
    const assigned = new Map<string, string>();
    const before = node.worker.assign.bind(node.worker);
    node.worker.assign = (assignments) => {
      for (const { id, traceparent } of assignments) assigned.set(id, traceparent);
      before(assignments);
    };
    const closed = await aRun();
    const { tracer, give } = await aTracer();
    expect(await give(closed)).toBe('ack');
    const [root, ...attempts] = collector.spans;
    expect(root).toMatchObject({ name: 'run d', status: { code: 1 } });
    expect(attributesOf(root!)).toMatchObject({ 'rondo.dag.id': 'd', 'rondo.run.id': 'r', 'rondo.run.type': 'manual' });
    expect(attempts.map((span) => [span.name, attributesOf(span)['rondo.task.outcome'], span.status.code])).toEqual([
      ['a', 'up_for_retry', 2],
      ['a', 'success', 1],
      ['b', 'success', 1],
    ]);
    expect(attempts.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`)).toEqual([...assigned.values()]);
    for (const span of attempts) {
      expect(span.parentSpanId).toBe(root!.spanId);
      expect(span.traceId).toBe(root!.traceId);
      expect(BigInt(span.startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(root!.startTimeUnixNano));
      expect(BigInt(span.endTimeUnixNano)).toBeLessThanOrEqual(BigInt(root!.endTimeUnixNano));
    }
    expect(attributesOf(attempts[0]!)).toMatchObject({ 'error.type': 'TypeError', 'rondo.worker': 'w1' });
    expect(JSON.stringify(collector.requests)).not.toContain('the secret');
    const { resource } = collector.requests[0]!.resourceSpans[0]!;
    expect(attributesOf(resource)).toMatchObject({ 'service.name': 'rondo', 'service.version': '1.2.3' });
    await tracer.stop();
  });

  it('is the same spans when it is sent again, by another process', async () => {
    const closed = await aRun();
    const [one, two] = [await aTracer(), await aTracer()];
    await one.give(closed);
    const first = collector.spans;
    collector.requests.length = 0;
    await two.give(closed);
    expect(collector.spans).toEqual(first);
    await Promise.all([one.tracer.stop(), two.tracer.stop()]);
  });

  it('is kept for another try while the collector takes none', async () => {
    const closed = await aRun();
    const problems: string[] = [];
    const { tracer, give } = await aTracer(problems);
    collector.status = 400;
    expect(await give(closed)).toBe('retry');
    expect(problems).toEqual([expect.stringContaining("the trace of run 'r' of DAG 'd' was not sent yet")]);
    collector.status = 200;
    expect(await give(closed)).toBe('ack');
    expect(tracer.count).toBe(1);
    await tracer.stop();
  });

  it('is whole wherever the run went on, and there is none of a run that has not ended', async () => {
    node.worker.outcome = () => undefined;
    await node.publish(aDefinition('d', [aTask('a')]));
    await node.trigger('d', { runId: 'r' });
    for (let i = 0; i < 200 && node.worker.assigned.size === 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 5));
    node.worker.started([...node.worker.assigned.keys()][0]!);
    await node.until('dagRun-d:r', 'TaskStarted');
    expect(traceOfRun('d', 'r', await node.history('dagRun-d:r'))).toBeUndefined();
    await node.crash();
    node = await new Node(store, node.blobs).start();
    await node.until('dag-d', 'RunClosed');
    const outcomes = traceOfRun('d', 'r', await node.history('dagRun-d:r'))!.map(
      ({ attributes }) => attributes['rondo.task.outcome'],
    );
    expect(outcomes).toEqual([undefined, 'lost', 'success']);
  });
});
