import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Faults } from './faults.ts';
import { checkImmutable, mergePatch, prune } from './fields.ts';
import { sendLog } from './log-request.ts';
import { PodLogs } from './logs.ts';
import { Refusal, RESOURCES, type ApiObject, type Resource } from './objects.ts';
import { checkQuota, type Quota } from './quota.ts';
import { fieldMatcher, labelMatcher, type Matcher } from './selector.ts';
import { Store } from './store.ts';
import { validate } from './validate.ts';
import { Watching } from './watching.ts';

export interface ApiOptions {
  /** Default `default`. */
  readonly namespaces?: readonly string[];
  readonly serviceAccounts?: readonly string[];
  /** How often a watch that asks for bookmarks gets one. Default 60 s, as in Kubernetes. */
  readonly bookmarkMs?: number;
  /** What the user may do: `create pods`, `get pods/log`. Default: all. */
  readonly allowed?: readonly string[];
}

interface Target {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly sub: string | undefined;
  readonly query: URLSearchParams;
}

const PATH = /^\/api\/v1(?:\/namespaces\/([^/]+))?\/(pods|secrets)(?:\/([^/]+))?(?:\/(log|status))?$/;
const LONGEST_WATCH_MS = 1_800_000;

/** The API over a store. A test changes pods through `store`, and orders faults. */
export class Api {
  readonly store = new Store();
  readonly logs = new PodLogs();
  readonly faults = new Faults();
  readonly token = randomUUID();
  /** By namespace. */
  readonly quotas = new Map<string, Quota>();
  /** Each as `GET /api/v1/…`. */
  readonly requests: string[] = [];
  readonly #options: ApiOptions;
  readonly #watches = new Set<Watching>();
  /** Lists that are read by pages: each is as it was when its first page was read. */
  #pages = new Map<string, { readonly rest: ApiObject[]; readonly version: string }>();

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  /** Ends all watches as a server does that goes away. */
  breakWatches(): void {
    for (const watch of this.#watches) watch.break();
  }

  /** Forgets history and what pages rest on; watches are told so in their stream. */
  compact(): void {
    this.#pages = new Map();
    this.store.compact();
    for (const watch of this.#watches) watch.expire();
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://server');
    const method = request.method ?? 'GET';
    this.requests.push(`${method} ${request.url}`);
    const body = await readBody(request);
    if (request.headers.authorization !== `Bearer ${this.token}`)
      throw new Refusal(401, 'Unauthorized', 'Unauthorized');
    const fault = this.faults.take(method, request.url ?? '');
    if (fault === 'reset') return void request.socket.destroy();
    const target = this.#targetOf(url);
    this.#authorise(method, target);
    if (method === 'GET' && target.query.get('watch') === 'true') return this.#watch(target, response);
    if (method === 'GET' && target.sub === 'log') return sendLog(this.store, this.logs, target as never, response);
    const [code, value] = this.#serve(method, target, body, request.headers['content-type'] ?? '');
    if (fault === 'lost') return void request.socket.destroy();
    response.writeHead(code, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(value));
  }

  #targetOf(url: URL): Target {
    const match = PATH.exec(url.pathname);
    if (match === null) throw new Refusal(404, 'NotFound', 'the server could not find the requested resource');
    const [, namespace, resource, name, sub] = match;
    const { namespaces = ['default'] } = this.#options;
    if (namespace !== undefined && !namespaces.includes(namespace))
      throw new Refusal(404, 'NotFound', `namespaces "${namespace}" not found`);
    return { resource: resource as Resource, namespace, name, sub, query: url.searchParams };
  }

  #authorise(method: string, { resource, name, sub, namespace, query }: Target): void {
    const { allowed } = this.#options;
    const verb =
      method === 'GET'
        ? name !== undefined
          ? 'get'
          : query.get('watch') === 'true'
            ? 'watch'
            : 'list'
        : VERBS[method];
    const what = `${resource}${sub === undefined ? '' : `/${sub}`}`;
    if (allowed === undefined || allowed.includes(`${verb} ${what}`)) return;
    throw new Refusal(
      403,
      'Forbidden',
      `${what} is forbidden: User "system:serviceaccount:rondo" cannot ${verb} resource "${what}" in API group "" in the namespace "${namespace}"`,
    );
  }

  #serve(method: string, target: Target, body: string, type: string): [number, object] {
    const { resource, namespace, name, sub, query } = target;
    if (method === 'GET' && name === undefined) return [200, this.#list(target)];
    if (namespace === undefined) throw new Refusal(405, 'MethodNotAllowed', 'a namespace is needed');
    if (method === 'GET') return [200, this.store.get(resource, namespace, name!)];
    const sent = body === '' ? undefined : (JSON.parse(body) as ApiObject);
    const isStrict = query.get('fieldValidation') === 'Strict';
    if (method === 'POST') return [201, this.#create(resource, namespace, sent!, isStrict)];
    if (method === 'DELETE') return [200, this.#delete(target as Required<Target>, sent as DeleteOptions | undefined)];
    if (method === 'PATCH' && !type.includes('merge-patch'))
      throw new Refusal(415, 'UnsupportedMediaType', `unsupported: ${type}`);
    const based = sent?.metadata?.resourceVersion;
    const edited = this.store.update(
      resource,
      namespace,
      name!,
      (object) => {
        const before = structuredClone(object);
        const next = (method === 'PUT' ? sent : mergePatch(object, sent)) as ApiObject;
        if (sub === 'status') Object.assign(object, { status: next.status });
        else {
          prune(resource, next, isStrict);
          const { uid, creationTimestamp, deletionTimestamp } = before.metadata;
          const kept = { uid, creationTimestamp, ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) };
          Object.assign(object, next, { status: before.status, metadata: { ...next.metadata, ...kept } });
          if (resource === 'pods') checkImmutable(before, object);
          validate(resource, object);
        }
      },
      based === undefined ? undefined : { resourceVersion: based },
    );
    return [200, edited];
  }

  #create(resource: Resource, namespace: string, sent: ApiObject, isStrict: boolean): ApiObject {
    const kind = RESOURCES[resource];
    if (sent.kind !== kind || sent.apiVersion !== 'v1')
      throw new Refusal(400, 'BadRequest', `no kind "${sent.kind}" is registered for version "${sent.apiVersion}"`);
    prune(resource, sent, isStrict);
    if ((sent.metadata.namespace ?? namespace) !== namespace)
      throw new Refusal(400, 'BadRequest', 'the namespace of the object does not match the namespace on the request');
    if (sent.metadata.resourceVersion)
      throw new Refusal(400, 'BadRequest', 'resourceVersion should not be set on objects to be created');
    sent.metadata.namespace = namespace;
    validate(resource, sent);
    if (resource === 'pods') this.#admit(namespace, sent);
    for (const [key, value] of Object.entries(sent.stringData ?? {}))
      (sent.data ??= {})[key] = Buffer.from(value).toString('base64');
    delete sent.stringData;
    return this.store.create(resource, sent);
  }

  #admit(namespace: string, pod: ApiObject): void {
    const spec = pod.spec!;
    const account = (spec.serviceAccountName ??= 'default');
    const { serviceAccounts = ['default'] } = this.#options;
    const { name } = pod.metadata;
    // A name that is taken is refused before anything is counted.
    if (this.store.find('pods', namespace, name) === undefined) {
      if (!serviceAccounts.includes(account))
        throw new Refusal(
          403,
          'Forbidden',
          `pods "${name}" is forbidden: error looking up service account ${namespace}/${account}: serviceaccount "${account}" not found`,
        );
      const quota = this.quotas.get(namespace);
      if (quota !== undefined) checkQuota(quota, pod, this.store.list('pods', namespace));
    }
    spec.restartPolicy ??= 'Always';
    spec.terminationGracePeriodSeconds ??= 30;
    pod.status = { phase: 'Pending', qosClass: 'BestEffort' };
  }

  #delete({ resource, namespace, name, query }: Required<Target>, options: DeleteOptions | undefined): ApiObject {
    const { spec, status } = this.store.get(resource, namespace!, name!);
    const asked =
      options?.gracePeriodSeconds ??
      (query.has('gracePeriodSeconds') ? Number(query.get('gracePeriodSeconds')) : undefined);
    const isOver = status?.phase === 'Succeeded' || status?.phase === 'Failed';
    // Without a kubelet that has it, or any process left, there is nothing to wait for.
    const grace =
      resource !== 'pods' || !spec?.nodeName || isOver ? 0 : (asked ?? spec.terminationGracePeriodSeconds ?? 30);
    return this.store.delete(resource, namespace!, name!, grace, options?.preconditions);
  }

  #list({ resource, namespace, query }: Target): object {
    const token = query.get('continue');
    const paged = token === null ? undefined : this.#pages.get(token);
    if (token !== null && paged === undefined)
      throw new Refusal(
        410,
        'Expired',
        'The provided continue parameter is too old to display a consistent list result.',
      );
    const matches = matcherOf(query);
    const all = paged?.rest ?? this.store.list(resource, namespace).filter(matches);
    const version = paged?.version ?? String(this.store.version);
    const limit = Number(query.get('limit') ?? 0) || all.length;
    const rest = all.slice(limit);
    const next = rest.length === 0 ? undefined : randomUUID();
    if (next !== undefined) this.#pages.set(next, { rest, version });
    return {
      kind: `${RESOURCES[resource]}List`,
      apiVersion: 'v1',
      metadata: {
        resourceVersion: version,
        ...(next === undefined ? {} : { continue: next, remainingItemCount: rest.length }),
      },
      // As of Kubernetes: items of a list bear neither kind nor version.
      items: all.slice(0, limit).map(({ kind: _, apiVersion: __, ...item }) => item),
    };
  }

  #watch({ resource, namespace, query }: Target, response: ServerResponse): void {
    const watch = new Watching(
      this.store,
      {
        resource,
        namespace,
        matches: matcherOf(query),
        version: query.get('resourceVersion'),
        bookmarks: query.get('allowWatchBookmarks') === 'true',
        bookmarkMs: this.#options.bookmarkMs ?? 60_000,
        timeoutMs: Number(query.get('timeoutSeconds') ?? 0) * 1_000 || LONGEST_WATCH_MS,
      },
      response,
    );
    watch.start();
    this.#watches.add(watch);
    response.once('close', () => this.#watches.delete(watch));
  }
}

interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

const VERBS: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

function matcherOf(query: URLSearchParams): Matcher {
  const labels = labelMatcher(query.get('labelSelector') ?? '');
  const fields = fieldMatcher(query.get('fieldSelector') ?? '');
  return (object) => labels(object) && fields(object);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
