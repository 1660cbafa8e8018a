import { formatDuration } from '@rondo/kernel';
import type { Client, Query } from './client.ts';
import { apiError, errorOfStatus, type ApiError } from './errors.ts';
import type { List, Pod } from './objects.ts';
import { Pauses, type Patience } from './patience.ts';

export interface PodWatchOptions {
  readonly client: Client;
  readonly namespace: string;
  readonly labelSelector: string;
  /** A pod is new or has changed. */
  readonly onPod: (pod: Pod) => void;
  /** It is there no more: its last known state. */
  readonly onGone: (pod: Pod) => void;
  /** All that there is has been told, for the first time. */
  readonly onSynced: () => void;
  readonly onNotice: (text: string) => void;
  readonly patience?: Patience;
  /** Pods in one page of a list. Default 500. */
  readonly pageSize?: number;
  /** A watch is ended by the server after this or up to twice as long. Default 5 min. */
  readonly watchMs?: number;
  /** A watch on which nothing comes, not even a bookmark, is begun again. Default 150 s: bookmarks come each minute. */
  readonly idleMs?: number;
}

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: Pod & { readonly code?: number; readonly reason?: string; readonly message?: string };
}

/**
 * Follows pods: lists them, then watches from the version of the list, again and again from the last version seen. Where the
 * server has forgotten that version it lists anew, and what is missing there has gone meanwhile.
 */
export class PodWatch {
  readonly pods = new Map<string, Pod>();
  readonly #options: PodWatchOptions;
  readonly #ending = new AbortController();
  #version: string | undefined;
  #isSynced = false;
  #failures = 0;
  #running: Promise<void> | undefined;

  constructor(options: PodWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    const pauses = new Pauses(this.#options.patience);
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list();
        if (await this.#watch()) {
          pauses.reset();
          this.#failures = 0;
        } else await pauses.pause(signal);
      } catch (thrown) {
        if (signal.aborted) return;
        const error = apiError(thrown);
        if (error.isExpired) this.#version = undefined;
        else this.#notice(error);
        await pauses.pause(signal, error);
      }
    }
  }

  /** In one consistent state, page by page. */
  async #list(): Promise<void> {
    const { client, namespace, labelSelector, pageSize = 500 } = this.#options;
    const { signal } = this.#ending;
    const seen = new Map<string, Pod>();
    let token: string | undefined;
    let version: string | undefined;
    do {
      const query: Query = { labelSelector, limit: pageSize, continue: token };
      const page = await client.call<List<Pod>>('GET', `/api/v1/namespaces/${namespace}/pods`, { query, signal });
      for (const pod of page.items) seen.set(pod.metadata.name, pod);
      token = page.metadata.continue;
      version = page.metadata.resourceVersion;
    } while (token !== undefined && token !== '');
    for (const pod of [...this.pods.values()])
      if (seen.get(pod.metadata.name)?.metadata.uid !== pod.metadata.uid) this.#gone(pod);
    for (const pod of seen.values()) this.#put(pod);
    this.#version = version;
    if (this.#isSynced) return;
    this.#isSynced = true;
    this.#options.onSynced();
  }

  /** True when the watch has told something, or has ended with its time. */
  async #watch(): Promise<boolean> {
    const { client, namespace, labelSelector, watchMs = 300_000, idleMs = 150_000 } = this.#options;
    const timeoutSeconds = Math.max(1, Math.round((watchMs * (1 + Math.random())) / 1_000));
    const query: Query = {
      watch: true,
      labelSelector,
      resourceVersion: this.#version,
      allowWatchBookmarks: true,
      timeoutSeconds,
    };
    const since = performance.now();
    let told = false;
    for await (const line of client.lines(`/api/v1/namespaces/${namespace}/pods`, query, this.#ending.signal, idleMs)) {
      if (line.trim() === '') continue;
      this.#onEvent(JSON.parse(line) as WatchEvent);
      told = true;
    }
    return told || performance.now() - since > 1_000;
  }

  #onEvent({ type, object }: WatchEvent): void {
    switch (type) {
      case 'ERROR':
        throw errorOfStatus(object.code ?? 500, JSON.stringify(object));
      case 'DELETED':
        this.#gone(object);
        break;
      case 'ADDED':
      case 'MODIFIED':
        this.#put(object);
        break;
      case 'BOOKMARK':
        break;
    }
    this.#version = object.metadata.resourceVersion ?? this.#version;
  }

  #put(pod: Pod): void {
    const { name, uid, resourceVersion } = pod.metadata;
    const known = this.pods.get(name);
    if (known !== undefined && known.metadata.uid !== uid) this.#gone(known);
    else if (known?.metadata.resourceVersion === resourceVersion) return;
    this.pods.set(name, pod);
    this.#options.onPod(pod);
  }

  #gone(pod: Pod): void {
    const { name, uid } = pod.metadata;
    if (this.pods.get(name)?.metadata.uid === uid) this.pods.delete(name);
    this.#options.onGone(pod);
  }

  #notice(error: ApiError): void {
    const { namespace, onNotice } = this.#options;
    if (this.#failures++ > 0) return;
    const after = error.retryAfterMs === undefined ? '' : `, not before ${formatDuration(error.retryAfterMs)}`;
    onNotice(`pods of namespace '${namespace}' cannot be watched; tried again${after}: ${error.message}`);
  }
}
