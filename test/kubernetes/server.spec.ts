import { ApiError } from '@rondo/adapter-kubernetes';
import { openCluster, podOf, until, PODS, setStatus, type Cluster } from './kit.ts';

let cluster: Cluster;
beforeEach(async () => {
  cluster = await openCluster({ bookmarkMs: 10 });
});
afterEach(() => cluster.server.stop());

// What the server answers, of whatever kind.
// oxlint-disable-next-line typescript/no-explicit-any
type Answer = any;
type Call = Parameters<Cluster['client']['call']>;
const call = (method: Call[0], path: string, body?: object, query?: Record<string, string | number>): Promise<Answer> =>
  cluster.client.call(method, path, {
    ...(body === undefined ? {} : { body }),
    ...(query === undefined ? {} : { query }),
  });
const create = (...args: Parameters<typeof podOf>): Promise<Answer> => call('POST', PODS, podOf(...args));
const refused = async (promise: Promise<unknown>): Promise<[number, string]> => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ApiError);
  return [(error as ApiError).code, (error as ApiError).reason];
};
const events = async (query: Record<string, string | number>, count: number): Promise<Answer[]> => {
  const found: Answer[] = [];
  const ending = new AbortController();
  for await (const line of cluster.client.lines(PODS, { watch: true, ...query }, ending.signal, 10_000)) {
    found.push(JSON.parse(line));
    if (found.length === count) break;
  }
  return found;
};

describe("the test server's rules", () => {
  it('gives each change a higher version, and refuses one that is based on an older', async () => {
    const first = await create('a');
    const path = `${PODS}/a`;
    const second = await call('PATCH', path, { metadata: { labels: { b: '1' } } });
    expect(Number(second.metadata.resourceVersion)).toBeGreaterThan(Number(first.metadata.resourceVersion));
    expect(second.metadata.labels).toEqual({ app: 'a', b: '1' });
    expect(await refused(call('PUT', path, { ...first, metadata: { ...first.metadata, labels: {} } }))).toEqual([
      409,
      'Conflict',
    ]);
    const preconditions = { resourceVersion: first.metadata.resourceVersion };
    expect(await refused(call('DELETE', path, { preconditions }))).toEqual([409, 'Conflict']);
    expect(await refused(call('DELETE', path, { preconditions: { uid: 'other' } }))).toEqual([409, 'Conflict']);
    await call('DELETE', path, { preconditions: { uid: first.metadata.uid } });
    expect(await refused(call('GET', path))).toEqual([404, 'NotFound']);
  });

  it('refuses a name that is taken', async () => {
    await create('a');
    expect(await refused(create('a'))).toEqual([409, 'AlreadyExists']);
  });

  it.each([
    ['a name', podOf('Upper')],
    ['a label value', podOf('a', { labels: { run: 'has:colon' } })],
    ['a label value of 64 characters', podOf('a', { labels: { run: 'x'.repeat(64) } })],
    ['no container', podOf('a', { spec: { containers: [] } })],
    [
      'a quantity',
      podOf('a', { spec: { containers: [{ name: 'm', image: 'i', resources: { limits: { memory: '4g' } } }] } }),
    ],
    [
      'a request over its limit',
      podOf('a', {
        spec: { containers: [{ name: 'm', image: 'i', resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } }] },
      }),
    ],
    [
      'a mount of nothing',
      podOf('a', { spec: { containers: [{ name: 'm', image: 'i', volumeMounts: [{ name: 'v', mountPath: '/v' }] }] } }),
    ],
    ['a deadline', podOf('a', { spec: { activeDeadlineSeconds: 0 } })],
    ['a finalizer', podOf('a', { meta: { finalizers: ['plain'] } })],
  ])('refuses %s that is not allowed', async (_, pod) => {
    expect(await refused(call('POST', PODS, pod))).toEqual([422, 'Invalid']);
  });

  it('refuses a field that it does not know where it is asked to', async () => {
    const pod = podOf('a', { spec: { imagePullSecret: 'typo' } });
    expect(await refused(call('POST', PODS, pod, { fieldValidation: 'Strict' }))).toEqual([400, 'BadRequest']);
    expect((await call('POST', PODS, pod)).spec).not.toHaveProperty('imagePullSecret');
  });

  it('refuses a change of what a pod runs', async () => {
    await create('a');
    expect(await refused(call('PATCH', `${PODS}/a`, { spec: { restartPolicy: 'Always' } }))).toEqual([422, 'Invalid']);
  });

  it('marks a pod that a node has for deletion, and leaves it to its kubelet', async () => {
    await create('a');
    setStatus(cluster.api, 'a', { phase: 'Running' });
    const marked = await call('DELETE', `${PODS}/a`, { gracePeriodSeconds: 7 });
    expect(marked.metadata).toMatchObject({ deletionGracePeriodSeconds: 7 });
    expect((await call('GET', `${PODS}/a`)).metadata.deletionTimestamp).toBeDefined();
    await call('DELETE', `${PODS}/a`, { gracePeriodSeconds: 0 });
    expect(await refused(call('GET', `${PODS}/a`))).toEqual([200 + 204, 'NotFound']);
  });

  it('keeps what has a finalizer until that is taken away, and takes what it owned with it', async () => {
    const pod = await create('a', { meta: { finalizers: ['test.dev/hold'] } });
    const secrets = PODS.replace('pods', 'secrets');
    const owner = { apiVersion: 'v1', kind: 'Pod', name: 'a', uid: pod.metadata.uid };
    await call('POST', secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's', ownerReferences: [owner] },
    });
    await call('DELETE', `${PODS}/a`);
    expect((await call('GET', `${PODS}/a`)).metadata.deletionTimestamp).toBeDefined();
    await call('PATCH', `${PODS}/a`, { metadata: { finalizers: null } });
    expect(await refused(call('GET', `${PODS}/a`))).toEqual([404, 'NotFound']);
    expect(await refused(call('GET', `${secrets}/s`))).toEqual([404, 'NotFound']);
  });

  it('counts a quota over pods that have not ended', async () => {
    cluster.api.quotas.set('default', { name: 'few', hard: { pods: '1' } });
    await create('a');
    expect(await refused(create('b'))).toEqual([403, 'Forbidden']);
    setStatus(cluster.api, 'a', { phase: 'Succeeded' });
    await create('b');
  });

  it('lists by pages in one state', async () => {
    for (const name of ['a', 'b', 'c']) await create(name);
    const first = await call('GET', PODS, undefined, { limit: 2 });
    await create('bb');
    const next = { limit: 2, continue: first.metadata.continue };
    const second = await call('GET', PODS, undefined, next);
    expect([...first.items, ...second.items].map((pod: Answer) => pod.metadata.name)).toEqual(['a', 'b', 'c']);
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    cluster.api.compact();
    expect(await refused(call('GET', PODS, undefined, next))).toEqual([410, 'Expired']);
  });

  it('watches from a version, with bookmarks, by labels', async () => {
    await create('a');
    const { metadata } = await call('GET', PODS);
    await create('b', { labels: { app: 'b' } });
    await call('PATCH', `${PODS}/a`, { metadata: { labels: { app: 'b' } } });
    await call('PATCH', `${PODS}/b`, { metadata: { labels: { app: 'a' } } });
    await call('DELETE', `${PODS}/b`);
    const query = { labelSelector: 'app=a', resourceVersion: metadata.resourceVersion };
    const found = await events({ ...query, allowWatchBookmarks: 'true' }, 4);
    expect(found.map(({ type, object }) => [type, object.metadata.name])).toEqual([
      ['DELETED', 'a'],
      ['ADDED', 'b'],
      ['DELETED', 'b'],
      ['BOOKMARK', undefined],
    ]);
    expect(found[3].object.metadata.resourceVersion).toBe(found[2].object.metadata.resourceVersion);
  });

  it('has forgotten old versions, and says so to open watches in their stream', async () => {
    await create('a');
    const { metadata } = await call('GET', PODS);
    const watching = events({ resourceVersion: metadata.resourceVersion }, 1);
    await create('b');
    expect((await watching)[0].type).toBe('ADDED');
    const open = events({ resourceVersion: metadata.resourceVersion, labelSelector: 'app=none' }, 1);
    await until(() => cluster.api.requests.some((line) => line.includes('none')));
    cluster.api.compact();
    expect(await open).toMatchObject([{ type: 'ERROR', object: { code: 410, reason: 'Expired' } }]);
    expect(await refused(events({ resourceVersion: metadata.resourceVersion }, 1))).toEqual([410, 'Expired']);
    expect(await refused(events({ resourceVersion: 999_999 }, 1))).toEqual([504, 'Timeout']);
  });

  it('ends a watch with its time', async () => {
    expect(await events({ timeoutSeconds: 1, resourceVersion: String(cluster.api.store.version) }, 1)).toEqual([]);
  });

  it('serves the log of a container that has started', async () => {
    await create('a');
    expect(await refused(call('GET', `${PODS}/a/log`))).toEqual([400, 'BadRequest']);
    const running = { name: 'main', image: 'i', imageID: '', ready: true, restartCount: 0, state: { running: {} } };
    const { metadata } = setStatus(cluster.api, 'a', { phase: 'Running', containerStatuses: [running] });
    cluster.api.logs.add(metadata.uid, 'one');
    const lines: string[] = [];
    for await (const line of cluster.client.lines(
      `${PODS}/a/log`,
      { follow: true },
      new AbortController().signal,
      10_000,
    )) {
      lines.push(line);
      if (line === 'one') cluster.api.logs.add(metadata.uid, 'two');
      if (line === 'two') cluster.api.logs.close(metadata.uid);
    }
    expect(lines).toEqual(['one', 'two']);
  });
});
