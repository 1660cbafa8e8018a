import { PODS, until } from './kit.ts';
import { assignmentOf, Scene, ScriptedGateway } from './scripted.ts';

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.open();
});
afterEach(() => scene.close());

describe('the executor', () => {
  it('waits for room in the quota', async () => {
    scene.cluster.api.quotas.set('default', { name: 'few', hard: { pods: '1' } });
    const notices: string[] = [];
    await scene.begin({ onNotice: (text) => notices.push(text) });
    scene.gateway.assign(assignmentOf('a'), assignmentOf('b'), assignmentOf('c'));
    await until(() => notices.length > 0);
    expect(notices[0]).toContain('exceeded quota');
    for (let i = 1; i <= 3; i++) {
      await until(() => scene.pods.some(({ status }) => status!.phase === 'Pending'));
      scene.end(scene.pods.find(({ status }) => status!.phase === 'Pending')!.metadata.name, 1);
    }
    expect(scene.gateway.reports.every(({ kind }) => kind === 'lost')).toBe(true);
  });

  it('makes one pod however often it is told and whatever answers are lost', async () => {
    await scene.begin();
    scene.cluster.api.faults.order({ method: 'POST', path: /pods/, as: 'lost', times: 2 });
    scene.cluster.api.faults.order({ method: 'POST', path: /secrets/, as: 'lost' });
    scene.cluster.api.faults.order({ method: 'POST', as: 429, retryAfter: 0 });
    scene.cluster.api.faults.order({ method: 'PATCH', as: 503 });
    const assignment = assignmentOf('load');
    scene.gateway.assign(assignment);
    scene.gateway.assign(assignment);
    await scene.made();
    scene.gateway.assign(assignment);
    const { pod } = await scene.running();
    expect(scene.pods).toHaveLength(1);
    expect(pod.frames.filter(({ kind }) => kind === 'assign')).toHaveLength(1);
  });

  it('claims what its predecessor had made, and is told by the pods what has become of it', async () => {
    const first = await scene.begin();
    const { name, pod, id } = await scene.running();
    await first.host.stop();
    expect(pod.closed).toBeDefined();
    await scene.begin({}, 6);
    expect(scene.gateway.all('claims')[0]!.claims).toEqual([{ partition: 3, generation: 6, running: [id], ended: [] }]);
    const again = await scene.gateway.pod(scene.cluster, name);
    again.running = [id];
    await until(() => again.has('generations'));
    again.finished();
    expect(await scene.gateway.ended(id)).toMatchObject({ outcome: { kind: 'success' } });
    expect(again.has('assign')).toBe(false);
  });

  it('reports what ended while nobody looked, and begins what is assigned again', async () => {
    const first = await scene.begin();
    first.assign(assignmentOf('waits'));
    const waits = await scene.made();
    first.assign(assignmentOf('ends'));
    await until(() => scene.pods.length === 2);
    const ends = scene.pods.find(({ metadata }) => metadata.name !== waits)!.metadata.name;
    scene.container(ends, { running: {} });
    await first.host.stop();
    scene.end(ends, 137, 'OOMKilled');
    await scene.begin({}, 6);
    expect(await scene.gateway.ended(assignmentOf('ends').id)).toMatchObject({
      outcome: { error: { type: 'OOMKilled' } },
    });
    scene.container(waits, { running: {} });
    const pod = await scene.gateway.pod(scene.cluster, waits);
    await until(() => pod.has('demand'));
    expect(pod.has('assign')).toBe(false);
    scene.gateway.assign(assignmentOf('waits'));
    await until(() => pod.has('assign'));
    expect(scene.pods.filter(({ metadata }) => metadata.name === waits)).toHaveLength(1);
  });

  it('removes a pod that nobody wants begun, after a while', async () => {
    const first = await scene.begin();
    first.assign(assignmentOf('load'));
    await scene.made();
    await first.host.stop();
    await scene.begin({ orphanMs: 50 }, 6);
    expect(await scene.gateway.ended(assignmentOf('load').id)).toMatchObject({ kind: 'lost' });
    scene.gateway.send({ kind: 'acknowledge', ids: [assignmentOf('load').id] });
    await until(() => scene.pods.every(({ metadata }) => metadata.deletionTimestamp !== undefined));
  });

  it('leaves to another gateway what that one vouches for', async () => {
    await scene.begin();
    const { name, pod, id } = await scene.running();
    scene.gateway.vouches = [];
    pod.send({ kind: 'beat', n: 1 });
    const answered = (): boolean =>
      pod.frames.some((frame) => frame.kind === 'beaten' && JSON.stringify(frame.owned) === '[]');
    await until(() => {
      pod.send({ kind: 'beat', n: 2 });
      return answered();
    });
    scene.end(name, 137, 'OOMKilled');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(scene.gateway.reports.filter(({ kind }) => kind !== 'started')).toEqual([]);
    // It has become the owner again.
    scene.gateway.vouches = [3];
    await until(() => scene.gateway.all('beat').length > 2);
    scene.gateway.send({ kind: 'generations', owned: [{ partition: 3, generation: 6 }] });
    expect(await scene.gateway.ended(id)).toMatchObject({ outcome: { error: { type: 'OOMKilled' } } });
  });

  it('refuses what an earlier owner hands out', async () => {
    await scene.begin();
    const assignments = [assignmentOf('load')];
    scene.gateway.send({ kind: 'assign', partition: 3, generation: 4, assignments });
    await until(() => scene.gateway.all('refused').length > 0);
    expect(scene.gateway.all('refused')[0]).toEqual({
      kind: 'refused',
      ids: [assignments[0]!.id],
      partition: 3,
      generation: 4,
    });
    expect(scene.pods).toEqual([]);
  });

  it('hands out nothing and answers no pod while its gateway does not answer', async () => {
    await scene.begin();
    scene.gateway.answers = false;
    scene.gateway.assign(assignmentOf('load'));
    const name = await scene.made();
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    scene.container(name, { running: {} });
    const pod = await scene.gateway.pod(scene.cluster, name);
    await until(() => pod.has('demand'));
    pod.send({ kind: 'beat', n: 1 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(pod.frames.map(({ kind }) => kind)).toEqual(['welcome', 'generations', 'demand']);
    scene.gateway.answers = true;
    await until(() => pod.has('assign'));
  });

  it('passes questions of attempts on, each attempt for itself alone', async () => {
    await scene.begin();
    const { pod, id } = await scene.running();
    const ask = (attempt: string): void => pod.send({ kind: 'call', n: 1, attempt, method: 'variable', args: ['k'] });
    ask('shop:other:load:1.1');
    await until(() => pod.has('answer'));
    expect(pod.frames.at(-1)).toMatchObject({ n: 1, error: expect.stringContaining('this pod is of attempt') });
    ask(id);
    await until(() => scene.gateway.all('call').length > 0);
    scene.gateway.send({ kind: 'answer', n: scene.gateway.all('call')[0]!.n, value: 'v' });
    await until(() => pod.frames.some((frame) => frame.kind === 'answer' && frame.value === 'v'));
  });

  it.each([
    ['never', false, 2],
    ['on-success', false, 1],
  ] as const)('keeps pods as it is told: %s', async (deletePods, _, left) => {
    await scene.begin({ deletePods });
    const success = await scene.running();
    success.pod.finished();
    await scene.gateway.ended(success.id);
    scene.gateway.send({ kind: 'acknowledge', ids: [success.id] });
    scene.end(success.name, 0);
    if (left === 1) await until(() => scene.pods.length === 0);
    const failing = assignmentOf('other');
    scene.gateway.assign(failing);
    await until(() => scene.pods.length === left);
    const name = scene.pods.find(({ metadata }) => metadata.name !== success.name)!.metadata.name;
    scene.end(name, 137, 'OOMKilled');
    await scene.gateway.ended(failing.id);
    scene.gateway.send({ kind: 'acknowledge', ids: [failing.id] });
    await until(() => (scene.cluster.api.store.get('pods', 'default', name).metadata.finalizers ?? []).length === 0);
    expect(scene.pods).toHaveLength(left);
    await scene.cluster.client.call('DELETE', `${PODS}/${name}`);
    await until(() => scene.pods.length === left - 1);
  });

  it('names every problem of its options at once', async () => {
    const wrong = { installation: 'a b', gateways: [], maxPods: 0, template: { spec: { restartPolicy: 'Always' } } };
    expect(() => new ScriptedGateway(scene.cluster, 1, wrong)).toThrow(
      /installation is "a b".*gateways is \[\].*maxPods is 0.*restartPolicy is "Always"; allowed: Never/,
    );
  });
});
