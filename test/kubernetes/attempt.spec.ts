import type { LogLine, LogStore } from '@rondo/ports';
import { setStatus, until } from './kit.ts';
import { assignmentOf, Scene } from './scripted.ts';

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.open();
});
afterEach(() => scene.close());

describe('an attempt in a pod', () => {
  it('is handed to the worker in its pod, whose reports go on, and whose pod is deleted when they are durable', async () => {
    await scene.begin();
    const { name, pod, id } = await scene.running();
    expect(pod.frames[0]).toEqual({ kind: 'welcome', gateway: 'g', release: '1', leaseMs: 1_000 });
    expect(pod.frames.find(({ kind }) => kind === 'assign')).toMatchObject({ partition: 3, generation: 5 });
    pod.finished();
    expect(await scene.gateway.ended(id)).toMatchObject({ kind: 'finished', outcome: { kind: 'success' } });
    expect(pod.has('acknowledge')).toBe(false);
    scene.gateway.send({ kind: 'acknowledge', ids: [id] });
    await until(() => pod.has('acknowledge') && pod.has('drain'));
    scene.end(name, 0);
    await until(() => scene.pods.length === 0);
    expect(scene.cluster.api.store.list('secrets')).toEqual([]);
  });

  it('says what it is in labels and annotations, and takes no more than it was given', async () => {
    await scene.begin({
      template: {
        spec: { nodeSelector: { pool: 'a' }, containers: [{ name: 'attempt', env: [{ name: 'X', value: '1' }] }] },
      },
    });
    const pod = { spec: { tolerations: [{ key: 'gpu', operator: 'Exists' }] } };
    const resources = { memory: '4g', cpu: 0.5, gpu: 1, tables: ['not for the pod'] };
    scene.gateway.assign(assignmentOf('load', { resources, executorConfig: { pod }, executionTimeoutMs: 60_000 }));
    await scene.made();
    const { metadata, spec } = scene.pods[0]! as unknown as ReturnType<typeof scene.cluster.api.store.get>;
    expect(metadata.labels).toMatchObject({
      'rondo.dev/installation': 'test',
      'rondo.dev/dag': 'shop',
      'rondo.dev/try': '1',
    });
    expect(metadata.annotations!['rondo.dev/run-id']).toBe('manual__2026-01-01T00:00:00+00:00');
    expect(spec).toMatchObject({
      restartPolicy: 'Never',
      activeDeadlineSeconds: 780,
      nodeSelector: { pool: 'a' },
      ...pod.spec,
    });
    const [container] = spec!.containers;
    expect(container!.resources).toEqual({
      requests: { memory: '4Gi', cpu: '0.5', 'nvidia.com/gpu': '1' },
      limits: { memory: '4Gi', 'nvidia.com/gpu': '1' },
    });
    expect(container!.env!.map(({ name }) => name)).toEqual([
      'RONDO_WORKER_DATA',
      'X',
      'RONDO_GATEWAYS_ADDRESSES',
      'RONDO_WORKER_NAME',
      'RONDO_WORKER_SLOTS',
      'RONDO_WORKER_ATTEMPT',
      'RONDO_WORKER_ATTEMPT_TOKEN',
    ]);
  });

  it('is handed to nobody without its token', async () => {
    await scene.begin();
    scene.gateway.assign(assignmentOf('load'));
    const name = await scene.made();
    scene.container(name, { running: {} });
    const stranger = await scene.gateway.pod(scene.cluster, name, 'guessed');
    await until(() => stranger.closed !== undefined);
    expect(stranger.frames).toEqual([]);
  });

  it('fails where the task asks for what no pod can be', async () => {
    await scene.begin();
    const wrong = assignmentOf('load', { resources: { memory: 'much' } });
    scene.gateway.assign(wrong);
    expect(await scene.gateway.ended(wrong.id)).toMatchObject({
      outcome: {
        retryable: false,
        error: { type: 'InvalidPod', message: expect.stringContaining('resources.memory is "much"') },
      },
    });
    const unknown = assignmentOf('other', { executorConfig: { pod: { spec: { imagePullSecret: 'typo' } } } });
    scene.gateway.assign(unknown);
    expect(await scene.gateway.ended(unknown.id)).toMatchObject({
      outcome: { retryable: false, error: { type: 'InvalidPod', message: expect.stringContaining('imagePullSecret') } },
    });
  });

  it.each([
    [
      'OOMKilled',
      137,
      {},
      { kind: 'finished', outcome: { error: { kind: 'exit', type: 'OOMKilled', exitCode: 137, signal: 'SIGKILL' } } },
    ],
    ['Error', 1, {}, { kind: 'lost', reason: expect.stringContaining('exit code 1') }],
    ['Completed', 0, {}, { kind: 'lost', reason: expect.stringContaining('without a result') }],
    [
      'Error',
      143,
      { reason: 'Evicted', message: 'low on memory' },
      { kind: 'lost', reason: expect.stringContaining('low on memory') },
    ],
    ['Error', 137, { reason: 'DeadlineExceeded' }, { kind: 'finished', outcome: { error: { kind: 'timeout' } } }],
    ['StartError', 128, {}, { kind: 'finished', outcome: { error: { kind: 'exit', type: 'StartError' } } }],
  ])('whose container ends by %s (%i) without a result', async (reason, code, status, expected) => {
    await scene.begin();
    const { name, id } = await scene.running();
    scene.end(name, code, reason, status);
    expect(await scene.gateway.ended(id)).toMatchObject(expected);
  });

  it('has the last words of its pod in its log, and in its error', async () => {
    const lines: LogLine[] = [];
    const logs = {
      append: async (_: unknown, more: readonly LogLine[]) => void lines.push(...more),
    } as unknown as LogStore;
    await scene.begin({ logs });
    const { name, id } = await scene.running();
    const { uid } = scene.cluster.api.store.get('pods', 'default', name).metadata;
    for (const text of ['about to fall', 'last word']) scene.cluster.api.logs.add(uid, text);
    scene.end(name, 137, 'OOMKilled');
    expect(await scene.gateway.ended(id)).toMatchObject({
      outcome: { error: { logTail: ['about to fall', 'last word'] } },
    });
    expect(lines.map(({ stream, text }) => [stream, text])).toEqual([
      ['system', 'about to fall'],
      ['system', 'last word'],
    ]);
  });

  it('keeps the result that its worker sent before the end', async () => {
    await scene.begin();
    const { name, pod, id } = await scene.running();
    scene.end(name, 137, 'OOMKilled');
    pod.finished();
    expect(await scene.gateway.ended(id)).toMatchObject({ outcome: { kind: 'success' } });
  });

  it.each([
    [
      'ImagePullBackOff',
      (name: string) => scene.container(name, { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } }),
    ],
    [
      'Unschedulable',
      (name: string) =>
        setStatus(
          scene.cluster.api,
          name,
          { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' }] },
          '',
        ),
    ],
    ['InvalidImageName', (name: string) => scene.container(name, { waiting: { reason: 'InvalidImageName' } })],
    ['NotStarted', () => undefined],
  ])('fails with %s when it does not start in time', async (reason, happens) => {
    await scene.begin({ startLimitMs: 600 });
    const assignment = assignmentOf('load');
    scene.gateway.assign(assignment);
    happens(await scene.made());
    expect(await scene.gateway.ended(assignment.id)).toMatchObject({
      outcome: { retryable: true, error: { type: reason } },
    });
    scene.gateway.send({ kind: 'acknowledge', ids: [assignment.id] });
    await until(() => scene.pods.every(({ metadata }) => metadata.deletionTimestamp !== undefined));
  });

  it('is cancelled: by its worker first, then by deleting its pod', async () => {
    await scene.begin({ cancelMs: 30 });
    const { name, pod, id } = await scene.running();
    scene.gateway.send({ kind: 'cancel', ids: [id], reason: 'cleared by ada' });
    await until(() => pod.has('cancel'));
    await until(() => scene.cluster.api.store.find('pods', 'default', name)!.metadata.deletionTimestamp !== undefined);
    expect(scene.cluster.api.store.get('pods', 'default', name).metadata.deletionGracePeriodSeconds).toBe(30);
    scene.end(name, 143);
    expect(await scene.gateway.ended(id)).toMatchObject({
      outcome: { retryable: false, error: { kind: 'cancelled', message: 'cleared by ada' } },
    });
  });

  it('is cancelled before it has begun, and then never begun', async () => {
    await scene.begin();
    const assignment = assignmentOf('load');
    scene.gateway.assign(assignment);
    const name = await scene.made();
    scene.gateway.send({ kind: 'cancel', ids: [assignment.id], reason: 'cleared' });
    expect(await scene.gateway.ended(assignment.id)).toMatchObject({ outcome: { error: { kind: 'cancelled' } } });
    scene.gateway.send({ kind: 'acknowledge', ids: [assignment.id] });
    await until(
      () =>
        scene.cluster.api.store.find('pods', 'default', name)?.metadata.deletionTimestamp !== undefined ||
        scene.pods.length === 0,
    );
  });

  it('is lost when its pod is taken away', async () => {
    await scene.begin();
    const { name, pod, id } = await scene.running();
    pod.close();
    scene.cluster.api.store.update('pods', 'default', name, ({ metadata }) => delete metadata.finalizers);
    scene.cluster.api.store.delete('pods', 'default', name, 0);
    expect(await scene.gateway.ended(id)).toMatchObject({
      kind: 'lost',
      reason: expect.stringContaining('its pod was deleted'),
    });
  });

  it('is lost when nothing is heard of its pod any more', async () => {
    await scene.begin({ silenceMs: 1 });
    const { pod, id } = await scene.running();
    pod.close();
    expect(await scene.gateway.ended(id)).toMatchObject({
      kind: 'lost',
      reason: expect.stringContaining('nothing was heard'),
    });
  });
});
