import { PodWatch, type Pod } from '@rondo/adapter-kubernetes';
import { openCluster, podOf, PODS, QUICK, setStatus, until, type Cluster } from './kit.ts';

let cluster: Cluster;
let watch: PodWatch | undefined;
let told: string[];
let notices: string[];
let synced: number;
beforeEach(async () => {
  cluster = await openCluster({ bookmarkMs: 20 });
});
afterEach(async () => {
  await watch?.stop();
  await cluster.server.stop();
});

const create = (name: string, labels?: Record<string, string>): Promise<Pod> =>
  cluster.client.call('POST', PODS, { body: podOf(name, labels === undefined ? {} : { labels }) });
const remove = (name: string): Promise<unknown> => cluster.client.call('DELETE', `${PODS}/${name}`);
const names = (): string[] => [...watch!.pods.keys()].sort();
const lists = (): number =>
  cluster.api.requests.filter((line) => line.startsWith('GET') && !line.includes('watch=')).length;
const watches = (): string[] => cluster.api.requests.filter((line) => line.includes('watch='));

function start(change: Partial<ConstructorParameters<typeof PodWatch>[0]> = {}): void {
  told = [];
  notices = [];
  synced = 0;
  watch = new PodWatch({
    client: cluster.client,
    namespace: 'default',
    labelSelector: 'app=a',
    onPod: ({ metadata }) => told.push(`+${metadata.name}`),
    onGone: ({ metadata }) => told.push(`-${metadata.name}`),
    onSynced: () => synced++,
    onNotice: (text) => notices.push(text),
    patience: QUICK,
    ...change,
  });
  watch.start();
}

describe('a watch of pods', () => {
  it('tells what is there, then what happens', async () => {
    await create('a');
    await create('other', { app: 'b' });
    start({ pageSize: 1 });
    await until(() => synced === 1);
    expect(told).toEqual(['+a']);
    await create('b');
    await until(() => names().includes('b'));
    setStatus(cluster.api, 'b', { phase: 'Succeeded' });
    await remove('a');
    await until(() => !names().includes('a'));
    expect(told).toEqual(['+a', '+b', '+b', '-a']);
    expect(watch!.pods.get('b')!.status!.phase).toBe('Succeeded');
  });

  it('goes on from the last version when the connection breaks, and lists no second time', async () => {
    start();
    await until(() => watches().length === 1);
    await create('a');
    await until(() => names().includes('a'));
    cluster.api.breakWatches();
    await create('b');
    await until(() => names().includes('b'));
    expect(lists()).toBe(1);
    expect(told).toEqual(['+a', '+b']);
  });

  it('lists anew when its version is forgotten, and finds what has gone and what was made again meanwhile', async () => {
    await create('a');
    await create('b');
    start();
    await until(() => watches().length === 1);
    cluster.api.faults.order({ path: /watch=/, as: 503, times: 3 });
    cluster.api.breakWatches();
    await remove('a');
    await remove('b');
    const again = await create('b');
    await create('c');
    cluster.api.compact();
    await until(() => names().includes('c'));
    expect(names()).toEqual(['b', 'c']);
    expect(watch!.pods.get('b')!.metadata.uid).toBe(again.metadata.uid);
    expect(told).toEqual(['+a', '+b', '-a', '-b', '+b', '+c']);
    expect(synced).toBe(1);
  });

  it('lists anew when it is told within the stream', async () => {
    await create('a');
    start();
    await until(() => watches().length === 1);
    cluster.api.compact();
    await until(() => lists() === 2);
    await create('b');
    await until(() => names().includes('b'));
    expect(told).toEqual(['+a', '+b']);
  });

  it('moves on with bookmarks, so that what others do does not age it', async () => {
    start();
    await until(() => watches().length === 1);
    await create('other', { app: 'b' });
    const { version } = cluster.api.store;
    let looks = 0;
    await until(() => {
      // Bookmarks come more often than that.
      if (++looks % 20 === 0) cluster.api.breakWatches();
      return watches().some((line) => line.includes(`resourceVersion=${version}`));
    });
    expect(lists()).toBe(1);
  });

  it('begins a silent watch again', async () => {
    await cluster.server.stop();
    cluster = await openCluster();
    start({ idleMs: 30 });
    await until(() => watches().length >= 3);
    expect(lists()).toBe(1);
    expect(notices[0]).toContain('nothing has come for 30 ms');
  });

  it.each([429, 500, 503, 'reset'] as const)('tries again after %s', async (as) => {
    await create('a');
    cluster.api.faults.order({ method: 'GET', as, times: 3, ...(as === 429 ? { retryAfter: 0.02 } : {}) });
    start();
    await until(() => synced === 1);
    expect(told).toEqual(['+a']);
    expect(notices).toHaveLength(1);
  });

  it('waits where it may not look, and says so once', async () => {
    await cluster.server.stop();
    cluster = await openCluster({ allowed: ['create pods'] });
    start();
    await until(() => lists() >= 4);
    expect(synced).toBe(0);
    expect(notices).toEqual([expect.stringContaining('cannot list resource "pods"')]);
  });
});
