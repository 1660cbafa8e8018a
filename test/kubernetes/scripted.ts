import { attemptId } from '@rondo/domain';
import { combineHosts, kubernetesHost, type KubernetesOptions, type Pod } from '@rondo/adapter-kubernetes';
import type {
  AgentFrame,
  AgentHello,
  Assignment,
  GatewayChannel,
  GatewayFrame,
  SessionHost,
  WorkerChannel,
  WorkerReport,
} from '@rondo/ports';
import { memorySessions } from '@rondo/testing';
import type { ContainerState, PodStatus } from '../../tools/services/kubernetes/objects.ts';
import { openCluster, QUICK, setStatus, until, type Cluster } from './kit.ts';

export const LEASE_MS = 2_000;

export function assignmentOf(taskId: string, change: Partial<Assignment> = {}): Assignment {
  const attempt = {
    dagId: 'shop',
    runId: 'manual__2026-01-01T00:00:00+00:00',
    taskId,
    mapIndex: [],
    tryNumber: 1,
    leg: 1,
  };
  const run = {
    runType: 'manual',
    logicalDate: 0,
    dataInterval: null,
    runAfter: 0,
    startedAt: 0,
    conf: null,
    triggeredBy: '',
  };
  return {
    id: attemptId(attempt),
    attempt,
    bundle: { hash: 'h', file: 'f.ts' },
    run: run as Assignment['run'],
    maxTries: 1,
    inputs: {},
    position: 0,
    traceparent: '',
    ...change,
  };
}

type Frame<K extends AgentFrame['kind']> = Extract<AgentFrame, { kind: K }>;

/** A gateway that does what the test says, and by itself: welcomes, takes over partition 3, answers beats. */
export class ScriptedGateway {
  readonly frames: AgentFrame[] = [];
  /** Of the executor. */
  channel: WorkerChannel | undefined;
  answers = true;
  /** Partitions that it says are its own. Undefined: says nothing. */
  vouches: readonly number[] | undefined;
  readonly host: SessionHost;
  readonly #sessions = memorySessions();
  readonly generation: number;

  constructor(cluster: Cluster, generation: number, change: Partial<KubernetesOptions> = {}) {
    this.generation = generation;
    const kubernetes = kubernetesHost({
      installation: 'test',
      gateways: ['gateway:7000'],
      cluster: { kubeconfig: { text: cluster.server.kubeconfig } },
      image: 'rondo:1',
      patience: QUICK,
      tickMs: 10,
      ...change,
    });
    this.host = combineHosts(this.#sessions.host, kubernetes);
  }

  async start(): Promise<void> {
    await this.host.start((channel) => {
      this.channel = channel;
      channel.listen({ onFrame: (frame) => this.#onFrame(frame), onClose: () => undefined });
    });
    await until(() => this.all('claims').length > 0);
  }

  all<K extends AgentFrame['kind']>(kind: K): Frame<K>[] {
    return this.frames.filter((frame): frame is Frame<K> => frame.kind === kind);
  }

  get reports(): WorkerReport[] {
    return this.all('reports').flatMap(({ reports }) => reports);
  }

  send(frame: GatewayFrame): void {
    this.channel!.send(frame);
  }

  assign(...assignments: Assignment[]): void {
    this.send({ kind: 'assign', partition: 3, generation: this.generation, assignments });
  }

  async ended(id: string): Promise<WorkerReport> {
    const find = () => this.reports.find((report) => report.id === id && report.kind !== 'started');
    await until(() => find() !== undefined);
    return find()!;
  }

  /** A worker as it begins in a pod, which waits to be told. */
  pod(cluster: Cluster, name: string, token?: string): Promise<ScriptedPod> {
    return ScriptedPod.connect(() => this.#sessions.line(name).connect(), cluster, name, token);
  }

  #onFrame(frame: AgentFrame): void {
    this.frames.push(frame);
    if (frame.kind === 'hello') {
      this.send({ kind: 'welcome', gateway: 'g', release: '1', leaseMs: LEASE_MS });
      this.send({ kind: 'generations', owned: [{ partition: 3, generation: this.generation }] });
    }
    if (frame.kind === 'beat' && this.answers)
      this.send({ kind: 'beaten', n: frame.n, ...(this.vouches === undefined ? {} : { owned: this.vouches }) });
  }
}

export class ScriptedPod {
  readonly frames: GatewayFrame[] = [];
  closed: string | undefined;
  running: string[] = [];
  ended: string[] = [];
  readonly id: string;
  readonly #channel: GatewayChannel;

  constructor(id: string, channel: GatewayChannel) {
    this.id = id;
    this.#channel = channel;
  }

  static async connect(
    connect: () => Promise<GatewayChannel>,
    { api }: Cluster,
    name: string,
    token?: string,
    has: { running?: string[]; ended?: string[] } = {},
  ): Promise<ScriptedPod> {
    const secret = api.store.get('secrets', 'default', name);
    const id = secret.metadata.annotations!['rondo.dev/attempt-id']!;
    const pod = new ScriptedPod(id, await connect());
    Object.assign(pod, has);
    const hello: AgentHello = {
      ...{ worker: name, boot: 'b', release: '1', slots: 1, queues: ['*'], labels: {}, executor: 'local' },
      ...{ interrupted: [], journalIntact: true, draining: false },
      attempt: { id, token: token ?? Buffer.from(secret.data!.token!, 'base64').toString() },
    };
    pod.#channel.listen({ onFrame: (frame) => pod.#onFrame(frame), onClose: (reason) => (pod.closed = reason) });
    pod.send({ kind: 'hello', hello });
    return pod;
  }

  send(frame: AgentFrame): void {
    this.#channel.send(frame);
  }

  close(): void {
    this.#channel.close('the pod is gone');
  }

  has(kind: GatewayFrame['kind']): boolean {
    return this.frames.some((frame) => frame.kind === kind);
  }

  started(): void {
    this.running = [this.id];
    this.send({ kind: 'reports', reports: [{ kind: 'started', id: this.id, at: 1, pid: 7 }] });
  }

  finished(): void {
    const outcome = { kind: 'success' } as const;
    [this.running, this.ended] = [[], [this.id]];
    this.send({ kind: 'reports', reports: [{ kind: 'finished', id: this.id, startedAt: 1, at: 2, pid: 7, outcome }] });
  }

  #onFrame(frame: GatewayFrame): void {
    this.frames.push(frame);
    if (frame.kind === 'generations') {
      const { running, ended } = this;
      this.send({ kind: 'claims', claims: frame.owned.map((owned) => ({ ...owned, running, ended })) });
    }
    if (frame.kind === 'demand') this.send({ kind: 'offer', slots: 1 });
  }
}

/** A cluster, and gateways one after the other. */
export class Scene {
  readonly cluster: Cluster;
  gateway!: ScriptedGateway;
  readonly #gateways: ScriptedGateway[] = [];

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  static async open(): Promise<Scene> {
    return new Scene(await openCluster());
  }

  async close(): Promise<void> {
    for (const each of this.#gateways) await each.host.stop();
    await this.cluster.server.stop();
  }

  async begin(change: Partial<KubernetesOptions> = {}, generation = 5): Promise<ScriptedGateway> {
    this.gateway = new ScriptedGateway(this.cluster, generation, change);
    this.#gateways.push(this.gateway);
    await this.gateway.start();
    return this.gateway;
  }

  get pods(): Pod[] {
    return this.cluster.api.store.list('pods', 'default') as unknown as Pod[];
  }

  /** The one pod, once it is there. */
  async made(): Promise<string> {
    await until(() => this.pods.length === 1);
    const { name } = this.pods[0]!.metadata;
    const { store } = this.cluster.api;
    await until(() => store.get('secrets', 'default', name).metadata.ownerReferences !== undefined);
    return name;
  }

  container(name: string, state: ContainerState, status: Partial<PodStatus> = {}, node?: string): void {
    const containerStatuses = [{ name: 'attempt', image: 'i', imageID: '', ready: false, restartCount: 0, state }];
    const phase = state.running === undefined ? 'Pending' : 'Running';
    setStatus(this.cluster.api, name, { phase, containerStatuses, ...status }, node);
  }

  end(
    name: string,
    exitCode: number,
    reason = exitCode === 0 ? 'Completed' : 'Error',
    status: Partial<PodStatus> = {},
  ): void {
    const phase = exitCode === 0 ? 'Succeeded' : 'Failed';
    this.container(name, { terminated: { exitCode, reason } }, { phase, ...status });
  }

  async running(task = 'load'): Promise<{ name: string; pod: ScriptedPod; id: string }> {
    const assignment = assignmentOf(task);
    this.gateway.assign(assignment);
    const name = await this.made();
    this.container(name, { running: {} });
    const pod = await this.gateway.pod(this.cluster, name);
    await until(() => pod.has('assign'));
    pod.started();
    await until(() => this.gateway.reports.length > 0);
    return { name, pod, id: assignment.id };
  }
}
