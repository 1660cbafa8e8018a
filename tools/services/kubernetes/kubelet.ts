import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Api } from './api.ts';
import type { ApiObject, Container, ContainerState, PodStatus } from './objects.ts';
import { killAll, treeOf } from './processes.ts';
import { amountOf } from './quantity.ts';
import { totalOf } from './quota.ts';
import { timestamp, type Change } from './store.ts';

export interface KubeletOptions {
  readonly node?: string;
  /** Of the node; a pod that asks for more finds none. Default: no limit. */
  readonly memory?: string;
  /** Whether the image can be had. Default: every one. */
  readonly hasImage?: (image: string) => boolean;
  /** Beside what the containers say. Default: `PATH` and `HOME` of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

interface Running {
  readonly process: ChildProcess;
  readonly startedAt: string;
  readonly timers: NodeJS.Timeout[];
  /** Why it was killed. */
  reason: string | undefined;
}

const SAMPLE_MS = 100;

/**
 * One node: takes pods that have none, and runs the first container of each as a process of this machine, with its environment,
 * its memory limit, its deadline and its grace. A container's files and network are this machine's: images are only names.
 */
export class Kubelet {
  readonly #api: Api;
  readonly #options: KubeletOptions;
  readonly #running = new Map<string, Running>();
  readonly #settled = new Set<string>();
  readonly #backingOff = new Set<string>();
  readonly #node: string;
  #isLost = false;

  constructor(api: Api, options: KubeletOptions = {}) {
    this.#api = api;
    this.#options = options;
    this.#node = options.node ?? 'node-1';
    api.store.changed.on('change', this.#onChange);
    for (const pod of api.store.list('pods')) this.#sync(pod);
  }

  get pids(): number[] {
    return [...this.#running.values()].flatMap(({ process }) => process.pid ?? []);
  }

  /** The node is cut off: nothing is heard of it any more, and what runs on it goes on. */
  lose(): void {
    this.#isLost = true;
  }

  /** Ends everything that it runs, at once. */
  async stop(): Promise<void> {
    this.#isLost = true;
    this.#api.store.changed.off('change', this.#onChange);
    const ends = [...this.#running.values()].map(async ({ process: child, timers }) => {
      timers.forEach(clearTimeout);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('close', resolve));
      killAll(treeOf(child.pid!).pids, 'SIGKILL');
      await ended;
    });
    await Promise.all(ends);
  }

  readonly #onChange = ({ resource, kind, after }: Change): void => {
    // Not within the call that has made the change.
    if (resource === 'pods' && kind !== 'DELETED') setImmediate(() => this.#sync(after));
    if (resource === 'secrets' && kind === 'ADDED')
      setImmediate(() => this.#api.store.list('pods').forEach((pod) => this.#sync(pod)));
  };

  #sync({ metadata: { namespace, name, uid } }: ApiObject): void {
    const pod = this.#api.store.find('pods', namespace, name);
    if (this.#isLost || pod === undefined || pod.metadata.uid !== uid) return;
    const { nodeName = this.#node } = pod.spec!;
    if (nodeName !== this.#node) return;
    if (pod.metadata.deletionTimestamp !== undefined) return this.#terminate(pod);
    if (this.#running.has(uid) || this.#settled.has(uid)) return;
    if (pod.spec!.nodeName === undefined && !this.#schedule(pod)) return;
    this.#start(pod);
  }

  #schedule(pod: ApiObject): boolean {
    const { memory } = this.#options;
    const wanted = totalOf(pod, 'requests', 'memory');
    const fits = memory === undefined || wanted <= amountOf(memory)!;
    const condition = fits
      ? { type: 'PodScheduled', status: 'True' }
      : {
          type: 'PodScheduled',
          status: 'False',
          reason: 'Unschedulable',
          message: '0/1 nodes are available: 1 Insufficient memory.',
        };
    this.#write(
      pod,
      { conditions: [condition], ...(fits ? { startTime: timestamp() } : {}) },
      fits ? this.#node : undefined,
    );
    return fits;
  }

  #start(pod: ApiObject): void {
    const container = pod.spec!.containers[0]!;
    const { hasImage = () => true } = this.#options;
    if (!hasImage(container.image)) return this.#backOff(pod, container);
    const env = this.#environment(pod, container);
    if (typeof env === 'string') return this.#waits(pod, container, 'CreateContainerConfigError', env);
    const [file, ...args] = [...(container.command ?? []), ...(container.args ?? [])];
    const child = spawn(file ?? 'false', args, { env, stdio: ['ignore', 'pipe', 'pipe'], cwd: container.workingDir });
    const running: Running = { process: child, startedAt: timestamp(), timers: [], reason: undefined };
    this.#running.set(pod.metadata.uid, running);
    for (const stream of [child.stdout, child.stderr])
      createInterface(stream).on('line', (line) => this.#api.logs.add(pod.metadata.uid, line));
    child.once('error', () => this.#onEnd(pod, container, running, 128, null, 'StartError'));
    child.once('close', (code, signal) => this.#onEnd(pod, container, running, code, signal));
    if (child.pid === undefined) return;
    this.#write(pod, { phase: 'Running', ...statuses(container, { running: { startedAt: running.startedAt } }, true) });
    this.#limit(pod, container, running);
  }

  #backOff(pod: ApiObject, container: Container): void {
    const { uid } = pod.metadata;
    if (this.#backingOff.has(uid)) return;
    this.#backingOff.add(uid);
    const { image } = container;
    this.#waits(pod, container, 'ErrImagePull', `failed to pull and unpack image "${image}": not found`);
    this.#waits(pod, container, 'ImagePullBackOff', `Back-off pulling image "${image}"`);
  }

  #limit({ spec }: ApiObject, { resources }: Container, running: Running): void {
    const { process: child, timers } = running;
    const limit = resources?.limits?.memory;
    if (limit !== undefined)
      timers.push(
        setInterval(() => {
          const { pids, bytes } = treeOf(child.pid!);
          if (bytes <= amountOf(limit)!) return;
          running.reason ??= 'OOMKilled';
          killAll(pids, 'SIGKILL');
        }, SAMPLE_MS),
      );
    const seconds = spec!.activeDeadlineSeconds;
    if (seconds === undefined) return;
    const end = (): void => {
      running.reason = 'DeadlineExceeded';
      killAll(treeOf(child.pid!).pids, 'SIGKILL');
    };
    timers.push(setTimeout(end, seconds * 1_000));
  }

  #onEnd(
    { metadata, spec }: ApiObject,
    container: Container,
    running: Running,
    code: number | null,
    signal: NodeJS.Signals | null,
    fault?: string,
  ): void {
    if (this.#settled.has(metadata.uid)) return;
    this.#settled.add(metadata.uid);
    running.timers.forEach(clearTimeout);
    this.#running.delete(metadata.uid);
    this.#api.logs.close(metadata.uid);
    const pod = this.#api.store.find('pods', metadata.namespace, metadata.name);
    if (this.#isLost || pod?.metadata.uid !== metadata.uid) return;
    const exitCode = code ?? (signal === 'SIGTERM' ? 143 : 137);
    const reason = fault ?? (running.reason === 'OOMKilled' ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error');
    const ends = { startedAt: running.startedAt, finishedAt: timestamp() };
    const late =
      running.reason === 'DeadlineExceeded'
        ? {
            reason: 'DeadlineExceeded',
            message: `Pod was active on the node longer than the specified deadline (${spec!.activeDeadlineSeconds}s)`,
          }
        : {};
    const phase = exitCode === 0 ? ('Succeeded' as const) : ('Failed' as const);
    this.#write(pod, { phase, ...late, ...statuses(container, { terminated: { exitCode, reason, ...ends } }, false) });
    if (pod.metadata.deletionTimestamp !== undefined) this.#remove(pod);
  }

  /** SIGTERM, then after the grace SIGKILL; when nothing runs any more the object goes. */
  #terminate(pod: ApiObject): void {
    const running = this.#running.get(pod.metadata.uid);
    if (running === undefined) return this.#remove(pod);
    if (running.reason === 'Deleted') return;
    running.reason = 'Deleted';
    const { pid } = running.process;
    killAll([pid!], 'SIGTERM');
    const kill = (): void => killAll(treeOf(pid!).pids, 'SIGKILL');
    running.timers.push(setTimeout(kill, (pod.metadata.deletionGracePeriodSeconds ?? 30) * 1_000));
  }

  #remove({ metadata: { namespace, name, uid } }: ApiObject): void {
    if (this.#api.store.find('pods', namespace, name) === undefined) return;
    this.#settled.add(uid);
    this.#api.store.delete('pods', namespace, name, 0, { uid });
  }

  #waits(pod: ApiObject, container: Container, reason: string, message: string): void {
    this.#write(pod, statuses(container, { waiting: { reason, message } }, false));
  }

  #write({ metadata: { namespace, name } }: ApiObject, status: Partial<PodStatus>, node?: string): void {
    this.#api.store.update('pods', namespace, name, (pod) => {
      if (node !== undefined) pod.spec!.nodeName = node;
      pod.status = { ...pod.status!, ...status };
    });
  }

  /** A text: what is missing. */
  #environment({ metadata }: ApiObject, { env = [] }: Container): Record<string, string> | string {
    const { PATH = '', HOME = '' } = process.env;
    const result: Record<string, string> = { PATH, HOME, ...this.#options.env };
    for (const { name, value, valueFrom } of env) {
      const ref = valueFrom?.secretKeyRef;
      if (ref === undefined) {
        const fields: Record<string, string> = { 'metadata.name': metadata.name, 'metadata.uid': metadata.uid };
        result[name] = value ?? fields[valueFrom?.fieldRef?.fieldPath ?? ''] ?? '';
        continue;
      }
      const data = this.#api.store.find('secrets', metadata.namespace, ref.name)?.data?.[ref.key];
      if (data !== undefined) result[name] = Buffer.from(data, 'base64').toString();
      else if (ref.optional !== true) return `secret "${ref.name}" not found`;
    }
    return result;
  }
}

function statuses({ name, image }: Container, state: ContainerState, ready: boolean): Partial<PodStatus> {
  return { containerStatuses: [{ name, image, imageID: '', ready, restartCount: 0, state }] };
}
