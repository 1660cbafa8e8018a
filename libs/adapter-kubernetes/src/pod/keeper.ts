import { randomBytes } from 'node:crypto';
import type { LogLine } from '@rondo/ports';
import type { Client } from '../api/client.ts';
import { apiError } from '../api/errors.ts';
import { Lanes } from '../api/lanes.ts';
import type { List, Pod, Secret } from '../api/objects.ts';
import { patiently } from '../api/patience.ts';
import { ANNOTATIONS, FINALIZER, LABELS } from '../attempt/names.ts';
import type { Settings } from '../options.ts';
import { CONTAINER, TOKEN_KEY } from './template.ts';

/** How long the last words of a pod may take. */
const LOG_MS = 5_000;
const LOG_LINES = 500;
const LOG_BYTES = 262_144;

/** What the executor does to pods, each call so often as it takes, and harmless when it is done twice. */
export class PodKeeper {
  readonly #client: Client;
  readonly #settings: Settings;
  readonly #signal: AbortSignal;
  readonly #lanes: Lanes;

  constructor(client: Client, settings: Settings, signal: AbortSignal) {
    this.#client = client;
    this.#settings = settings;
    this.#signal = signal;
    this.#lanes = new Lanes(settings.parallel);
  }

  /**
   * Makes the pod and before it the Secret with its token. One that is there already for the same attempt is taken as it is.
   * Rejects with the API's refusal.
   */
  create(pod: Pod): Promise<{ readonly pod: Pod; readonly token: string }> {
    return this.#lanes.run(async () => {
      const secret = await this.#makeSecret(pod);
      const made = await this.#makePod(pod);
      if (secret.metadata.ownerReferences === undefined) await this.#own(secret, made);
      return { pod: made, token: tokenOf(secret) };
    });
  }

  /** Undefined: there is none, so nobody can prove anything. */
  async tokenOf(name: string): Promise<string | undefined> {
    try {
      return tokenOf(await this.#call(() => this.#client.call<Secret>('GET', this.#path('secrets', name))));
    } catch (error) {
      if (apiError(error).isNotFound) return undefined;
      throw error;
    }
  }

  /** Asks the kubelet to end it. Another pod of the same name is left alone. */
  delete({ metadata }: Pod, graceSeconds?: number): Promise<void> {
    const { name, uid } = metadata;
    const body = {
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }),
      ...(uid === undefined ? {} : { preconditions: { uid } }),
    };
    return this.#lanes.run(() =>
      this.#unlessGone(() => this.#client.call('DELETE', this.#path('pods', name), { body })),
    );
  }

  /** Its end has been read: whoever deletes it may. */
  release({ metadata }: Pod): Promise<void> {
    return this.#lanes.run(() =>
      this.#unlessGone(async () => {
        let { finalizers = [], resourceVersion } = metadata;
        while (finalizers.includes(FINALIZER)) {
          const rest = finalizers.filter((each) => each !== FINALIZER);
          const body = { metadata: { resourceVersion, finalizers: rest } };
          try {
            await this.#client.call('PATCH', this.#path('pods', metadata.name), { body });
            return;
          } catch (error) {
            // Somebody has changed it meanwhile: on the ground of what it is now.
            if (!apiError(error).isConflict) throw error;
            const now = await this.#client.call<Pod>('GET', this.#path('pods', metadata.name));
            if (now.metadata.uid !== metadata.uid) return;
            ({ finalizers = [], resourceVersion } = now.metadata);
          }
        }
      }),
    );
  }

  /** The last lines that its container has written, to its end. None where they cannot be had. */
  async lastWords({ metadata }: Pod): Promise<LogLine[]> {
    const query = {
      container: CONTAINER,
      follow: true,
      timestamps: true,
      tailLines: LOG_LINES,
      limitBytes: LOG_BYTES,
    };
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(LOG_MS)]);
    const lines: LogLine[] = [];
    try {
      for await (const line of this.#client.lines(`${this.#path('pods', metadata.name)}/log`, query, signal, LOG_MS))
        if (line !== '') lines.push(logLineOf(line));
    } catch {
      // The pod never started, or its node is gone: there is nothing more to be had.
    }
    return lines;
  }

  /** Secrets that have no pod and are older than that: what made them ended in between. */
  async sweepSecrets(pods: ReadonlyMap<string, unknown>, olderThanMs: number): Promise<void> {
    const query = { labelSelector: `${LABELS.installation}=${this.#settings.installation}` };
    const found = await this.#call(() => this.#client.call<List<Secret>>('GET', this.#path('secrets'), { query }));
    for (const { metadata } of found.items) {
      const age = Date.now() - Date.parse(metadata.creationTimestamp ?? '');
      if (pods.has(metadata.name) || metadata.ownerReferences !== undefined || !(age > olderThanMs)) continue;
      const body = { preconditions: { uid: metadata.uid } };
      await this.#unlessGone(() => this.#client.call('DELETE', this.#path('secrets', metadata.name), { body }));
    }
  }

  async #makeSecret({ metadata }: Pod): Promise<Secret> {
    const { name, labels, annotations } = metadata;
    const token = randomBytes(32).toString('base64url');
    const body: Secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name,
        ...(labels === undefined ? {} : { labels }),
        ...(annotations === undefined ? {} : { annotations }),
      },
      type: 'Opaque',
      data: { [TOKEN_KEY]: Buffer.from(token).toString('base64') },
    };
    return this.#make('secrets', body);
  }

  #makePod(pod: Pod): Promise<Pod> {
    return this.#make('pods', pod, { fieldValidation: 'Strict' });
  }

  /** An answer that was lost may have been a success: the next try finds the name taken by the same attempt. */
  async #make<T extends Pod | Secret>(resource: 'pods' | 'secrets', body: T, query = {}): Promise<T> {
    try {
      return await this.#call(() => this.#client.call<T>('POST', this.#path(resource), { body, query }));
    } catch (thrown) {
      if (!apiError(thrown).isTaken) throw thrown;
      const found = await this.#call(() => this.#client.call<T>('GET', this.#path(resource, body.metadata.name)));
      const [mine, theirs] = [body, found].map(({ metadata }) => metadata.annotations?.[ANNOTATIONS.attempt]);
      if (mine !== theirs) throw new Error(`${resource} '${body.metadata.name}' is there, and of attempt '${theirs}'`);
      return found;
    }
  }

  /** The Secret goes with its pod. */
  async #own({ metadata }: Secret, pod: Pod): Promise<void> {
    const owner = { apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, uid: pod.metadata.uid };
    const body = { metadata: { ownerReferences: [owner] } };
    await this.#unlessGone(() => this.#client.call('PATCH', this.#path('secrets', metadata.name), { body }));
  }

  async #unlessGone(call: () => Promise<unknown>): Promise<void> {
    try {
      await this.#call(call);
    } catch (thrown) {
      const error = apiError(thrown);
      if (!error.isNotFound && !error.isConflict) throw error;
    }
  }

  #call<T>(call: () => Promise<T>): Promise<T> {
    return patiently(call, this.#signal, this.#settings.patience);
  }

  #path(resource: 'pods' | 'secrets', name?: string): string {
    return `/api/v1/namespaces/${this.#settings.namespace}/${resource}${name === undefined ? '' : `/${name}`}`;
  }
}

const tokenOf = ({ data = {} }: Secret): string => Buffer.from(data[TOKEN_KEY] ?? '', 'base64').toString();

/** `2026-01-01T00:00:00.123456789Z text`. */
function logLineOf(line: string): LogLine {
  const space = line.indexOf(' ');
  const at = Date.parse(line.slice(0, Math.max(space, 0)));
  return Number.isNaN(at)
    ? { at: Date.now(), stream: 'system', text: line }
    : { at, stream: 'system', text: line.slice(space + 1) };
}
