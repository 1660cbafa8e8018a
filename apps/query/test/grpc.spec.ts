import { status, type ServiceError } from '@grpc/grpc-js';
import { loadProtos, serviceOf } from '@rondo/adapter-grpc';
import { RANDOM_VERSION, RANDOM_VERSION_BYTES } from '@rondo/testing';
import { z } from 'zod';
import { CALLS } from '../src/grpc/calls.ts';
import { jsonOf, type ProtoValue } from '../src/grpc/json-value.ts';
import { JSON_FIELDS } from '../src/grpc/messages.ts';
import { ApiUnderTest } from './api-kit.ts';
import { detailsOf, GrpcClient, type Message } from './grpc-client.ts';
import { eventsOf, firstTry } from './run-events.ts';

const { published, requested, own, started } = eventsOf(RANDOM_VERSION);
const TOKEN = 'open sesame';
const protos = loadProtos(['rondo/v1/query.proto']);

/** A message as the API over HTTP would answer it, and such an answer, without what is null. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, each]) => each !== null && each !== undefined);
  return Object.fromEntries(
    fields.map(([name, each]) => {
      const isValue = JSON_FIELDS.has(name) && Object.keys(each as object).some((key) => key.endsWith('Value'));
      return [name, isValue ? jsonOf(each as ProtoValue) : JSON_FIELDS.has(name) ? each : plain(each)];
    }),
  );
}

async function failure(call: Promise<unknown>): Promise<ServiceError> {
  return call.then(
    () => Promise.reject(new Error('it was not refused')),
    (error: unknown) => error as ServiceError,
  );
}

describe('the API over gRPC', () => {
  let api: ApiUnderTest;
  let client: GrpcClient;
  beforeAll(async () => {
    api = await ApiUnderTest.start({ door: { token: TOKEN } }, { listen: '127.0.0.1:0' });
    client = new GrpcClient(api.server.grpcAddress!);
    await api.blobs.put(RANDOM_VERSION_BYTES);
    await api.given(
      published('random'),
      requested('r1'),
      requested('r2', 11),
      started('r1'),
      own('r1', 'TaskScheduled', firstTry, 30),
      own('r1', 'TaskQueued', { ...firstTry, executor: 'local', worker: 'w' }, 31),
      own('r1', 'TaskStarted', { ...firstTry, pid: 7 }, 32),
      own('r1', 'TaskFailed', { ...firstTry, error: { kind: 'exception', message: 'boom', logTail: ['a'] } }, 33),
    );
  });
  afterAll(async () => {
    client.close();
    await api.stop();
  });
  beforeEach(() => {
    api.sent.length = 0;
  });

  it.each([
    ['ListDags', { pattern: 'RAND', paused: false, limit: 10 }, '/dags?pattern=RAND&paused=false&limit=10'],
    ['GetDag', { dagId: 'random' }, '/dags/random'],
    [
      'ListRuns',
      { dagId: 'random', state: ['running', 'queued'], orderBy: 'runId' },
      '/dags/random/runs?orderBy=runId',
    ],
    ['ListRuns', { limit: 1, offset: 1 }, '/runs?limit=1&offset=1'],
    ['ListRuns', { dagId: 'random', asOf: '3' }, '/dags/random/runs?asOf=3'],
    ['GetRun', { dagId: 'random', runId: 'r1' }, '/dags/random/runs/r1'],
    ['ListRunEvents', { dagId: 'random', runId: 'r1', limit: 3 }, '/dags/random/runs/r1/events?limit=3'],
    ['ListTaskInstances', { dagId: 'random', runId: 'r1' }, '/dags/random/runs/r1/tasks'],
    ['GetTaskInstance', { dagId: 'random', runId: 'r1', taskId: 'first' }, '/dags/random/runs/r1/tasks/first'],
    ['ListPools', {}, '/pools'],
  ])('answers %s %j as the API does over HTTP', async (method, request, path) => {
    const { body, position } = await client.call(method, request);
    const http = await api.get(path);
    expect(http.status).toBe(200);
    expect(plain(body)).toEqual(plain(http.body));
    expect(String(position)).toBe(http.headers.get('rondo-position') ?? 'NaN');
  });

  it.each([
    [
      'TriggerRun',
      { dagId: 'random', runId: 'mine', conf: { structValue: { fields: { a: { numberValue: 1 } } } }, note: 'n' },
      { type: 'triggerRun', runId: 'mine', conf: { a: 1 }, note: 'n', key: 'k' },
    ],
    [
      'ClearRun',
      { dagId: 'random', runId: 'r1', taskIds: ['first'], includeDownstream: true, dryRun: false },
      { type: 'clearTasks', runId: 'r1', selection: { taskIds: ['first'], includeDownstream: true }, dryRun: false },
    ],
    ['MarkRun', { dagId: 'random', runId: 'r1', state: 'failed' }, { type: 'markRun', runId: 'r1', state: 'failed' }],
    ['SetDagPaused', { dagId: 'random', paused: true }, { type: 'pauseDag' }],
    ['SetDagPaused', { dagId: 'random', paused: false }, { type: 'unpauseDag' }],
  ])('passes %s %j on', async (method, request, command) => {
    api.onCommand = async () => ({
      ok: true,
      position: method === 'TriggerRun' ? await api.given(requested('mine', 50)) : await api.store.head(),
      result: { dagId: 'random', runId: 'mine', existed: false, instances: [{ taskId: 'first', mapIndex: '' }] },
    });
    const { body } = await client.call(method, request, { metadata: { 'idempotency-key': 'k' } });
    expect(api.sent).toEqual([
      { dagId: 'random', actor: { kind: 'user', name: 'local' }, command: expect.objectContaining(command) },
    ]);
    if (method === 'TriggerRun') expect(body).toMatchObject({ runId: 'mine', state: 'queued' });
    if (method === 'ClearRun') expect(body).toMatchObject({ instances: [{ taskId: 'first', mapIndex: '' }] });
  });

  it('runs a command with the same key once', async () => {
    api.onCommand = async () => ({ ok: true, position: await api.store.head(), result: {} });
    const request = { dagId: 'random', runId: 'r1', state: 'success' };
    const mark = () => client.call('MarkRun', request, { metadata: { 'idempotency-key': 'once' } });
    await Promise.all([mark(), mark()]);
    expect(api.sent).toHaveLength(1);
    const other = { ...request, state: 'failed' };
    const error = await failure(client.call('MarkRun', other, { metadata: { 'idempotency-key': 'once' } }));
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining("'once'") });
  });

  it('waits for the position that a read asks for', async () => {
    const position = await api.store.head();
    expect((await client.call('GetRun', { dagId: 'random', runId: 'r1', after: position })).position).toBe(position);
  });

  describe('refusals', () => {
    it.each<[string, Message, string, string]>([
      ['ListRuns', { limit: 5_000 }, 'limit', '1000'],
      ['ListRuns', { runAfterGte: 'yesterday' }, 'run_after_gte', 'ISO 8601'],
      ['ListRuns', { state: ['odd'] }, 'state.0', 'queued'],
      ['GetRun', { runId: 'r1' }, 'dag_id', 'at least 1'],
      ['MarkRun', { dagId: 'random', runId: 'r1', state: 'odd' }, 'state', 'success'],
      ['WatchRun', { dagId: 'random' }, 'run_id', 'at least 1'],
    ])('name the field: %s %j', async (method, request, field, allowed) => {
      const call = method === 'WatchRun' ? client.stream(method, request) : client.call(method, request);
      const error = await failure(call);
      expect(error.code).toBe(status.INVALID_ARGUMENT);
      expect(error.details).toContain(`field '${field}'`);
      expect(error.details).toContain(allowed);
      expect(detailsOf(error)['google.rpc.BadRequest']).toMatchObject({ fieldViolations: [{ field }] });
    });

    it.each([
      ['not_found', status.NOT_FOUND, 'NOT_FOUND'],
      ['conflict', status.FAILED_PRECONDITION, 'CONFLICT'],
      ['invalid', status.INVALID_ARGUMENT, 'NOT_ACCEPTABLE_HERE'],
      ['forbidden', status.PERMISSION_DENIED, 'FORBIDDEN'],
      ['unavailable', status.UNAVAILABLE, 'UNAVAILABLE'],
    ] as const)('of the scheduler have a code: %s', async (code, expected, reason) => {
      api.onCommand = async () => ({ ok: false, code, message: 'because' });
      const error = await failure(client.call('MarkRun', { dagId: 'random', runId: 'r1', state: 'failed' }));
      expect(error).toMatchObject({ code: expected, details: 'because' });
      expect(detailsOf(error)['google.rpc.ErrorInfo']).toMatchObject({ reason, domain: 'rondo' });
    });

    it('tell of what does not exist', async () => {
      const calls = [
        client.call('GetRun', { dagId: 'random', runId: 'none' }),
        client.call('GetDag', { dagId: 'none' }),
        client.stream('WatchRun', { dagId: 'random', runId: 'none' }),
      ];
      for (const error of await Promise.all(calls.map(failure))) expect(error.code).toBe(status.NOT_FOUND);
    });

    it('ask everybody who is not from this machine for the token', async () => {
      const elsewhere = { 'x-forwarded-for': '203.0.113.7' };
      const ask = (metadata: Record<string, string>) => client.call('ListPools', {}, { metadata });
      expect(await failure(ask(elsewhere))).toMatchObject({ code: status.UNAUTHENTICATED });
      expect(await failure(ask({ authorization: 'Bearer wrong' }))).toMatchObject({ code: status.UNAUTHENTICATED });
      expect((await ask({ ...elsewhere, authorization: `Bearer ${TOKEN}` })).body.items).toEqual(expect.anything());
      const watch = client.stream('WatchRun', { dagId: 'random', runId: 'r1' }, undefined, { metadata: elsewhere });
      expect(await failure(watch)).toMatchObject({ code: status.UNAUTHENTICATED });
    });

    it('do not tell what failed inside, only where the log has it', async () => {
      api.onCommand = () => Promise.reject(new Error('the secret of the house'));
      const error = await failure(client.call('MarkRun', { dagId: 'random', runId: 'r1', state: 'failed' }));
      expect(error.code).toBe(status.INTERNAL);
      expect(error.details).toMatch(/the log has it as [0-9a-f-]{36}/);
    });
  });

  it('begins no command whose deadline is over', async () => {
    const position = (await api.store.head()) + 1_000_000;
    const late = client.call('GetRun', { dagId: 'random', runId: 'r1', after: position }, { deadlineMs: 50 });
    expect(await failure(late)).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  });

  it('tells a run as it is, then every change, until it has ended', async () => {
    const heard = client.stream('WatchRun', { dagId: 'random', runId: 'r1' }, (all) => {
      if (all.length === 1)
        void api.given(
          own('r1', 'TaskScheduled', { ...firstTry, taskId: 'second' }, 40),
          own('r2', 'TaskScheduled', { ...firstTry, taskId: 'second' }, 40),
          own('r1', 'RunFailed', { reason: 'task_failure' }, 41),
        );
      return false;
    });
    const [now, ...changes] = (await heard) as [Message, ...Message[]];
    expect(now).toMatchObject({ type: '', run: { state: 'running' }, tasks: [{ taskId: 'first', state: 'failed' }] });
    expect(changes).toMatchObject([
      { type: 'TaskScheduled', run: null, tasks: [{ taskId: 'second', state: 'scheduled', tryNumber: 1 }] },
      { type: 'RunFailed', run: { state: 'failed' } },
    ]);
    expect(Number(changes[0]!.position)).toBeGreaterThan(Number(now.position));
  });

  it('answers whether it serves', async () => {
    const health = new GrpcClient(api.server.grpcAddress!, 'grpc.health.v1.Health');
    expect((await health.call('Check', { service: 'rondo.v1.Query' })).body).toEqual({ status: 'SERVING' });
    expect(await failure(health.call('Check', { service: 'other' }))).toMatchObject({ code: status.NOT_FOUND });
    health.close();
  });
});

it('lets go of those who watch when it stops', async () => {
  const api = await ApiUnderTest.start({}, { listen: '127.0.0.1:0' });
  await api.blobs.put(RANDOM_VERSION_BYTES);
  await api.given(published('random'), requested('r1'), started('r1'));
  const client = new GrpcClient(api.server.grpcAddress!);
  let begun: () => void = () => undefined;
  const first = new Promise<void>((resolve) => (begun = resolve));
  const watched = failure(client.stream('WatchRun', { dagId: 'random', runId: 'r1' }, () => (begun(), false)));
  await first;
  await api.stop();
  expect(await watched).toMatchObject({ code: status.UNAVAILABLE });
  client.close();
});

describe('the messages of query.proto', () => {
  interface Field {
    readonly name: string;
    readonly typeName: string;
  }
  const fieldsOf = (type: string): readonly Field[] =>
    (protos[type] as unknown as { type: { field: Field[] } }).type.field;
  const service = serviceOf(protos, 'rondo.v1.Query');
  const typeNames = (method: string) => {
    const { requestType, responseType } = service[method] as unknown as Record<
      'requestType' | 'responseType',
      { readonly type: { readonly name: string } }
    >;
    return { request: `rondo.v1.${requestType.type.name}`, response: `rondo.v1.${responseType.type.name}` };
  };
  const names = (type: string) => fieldsOf(type).map(({ name }) => name);
  const shape = (schema: z.ZodType | undefined): string[] =>
    schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];

  it('has every method', () => {
    expect(Object.keys(service).sort()).toEqual([...Object.keys(CALLS), 'WatchRun'].sort());
  });

  it.each(Object.keys(CALLS))('%s takes what its operation takes, all of it', (method) => {
    const taken = CALLS[method]!.flatMap(({ operation: { params, query, body } }) =>
      [params, query, body].flatMap(shape),
    );
    expect(names(typeNames(method).request).sort()).toEqual([...new Set(taken)].sort());
  });

  it.each(Object.keys(CALLS))('%s answers what its operation answers, all of it', (method) => {
    const answer: z.ZodType = CALLS[method]![0]!.operation.answer!;
    const { response } = typeNames(method);
    if (answer instanceof z.ZodUnion) {
      const options = answer.options as readonly z.ZodType[];
      expect(names(response).sort()).toEqual(options.flatMap(shape).sort());
      return;
    }
    const answered = shape(answer);
    // The DAG of a list and that of GetDag are one message.
    expect(
      names(response)
        .filter((name) => name !== 'definition')
        .sort(),
    ).toEqual(answered.filter((name) => name !== 'definition').sort());
    if (!answered.includes('items')) return;
    const item = (answer as z.ZodObject).shape.items as z.ZodArray<z.ZodObject>;
    const type = fieldsOf(response).find(({ name }) => name === 'items')!.typeName;
    const full = type.startsWith('rondo') ? type : `rondo.v1.${type}`;
    expect(
      names(full)
        .filter((name) => name !== 'definition')
        .sort(),
    ).toEqual(shape(item.element).sort());
  });
});
