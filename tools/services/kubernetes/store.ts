import { EventEmitter } from 'node:events';
import { randomUUID } from 'node:crypto';
import { Refusal, RESOURCES, type ApiObject, type Resource } from './objects.ts';

export interface Change {
  readonly version: number;
  readonly resource: Resource;
  /** What the object was and is; for a removal, `after` is its last state with the version of the removal. */
  readonly kind: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly before: ApiObject | undefined;
  readonly after: ApiObject;
}

interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

/**
 * The objects and their history, with the rules of the API: one version for all, that grows with each change; a change based on an
 * older version of its object is a conflict; a history that is forgotten from its old end.
 */
export class Store {
  readonly changed = new EventEmitter<{ change: [Change]; compacted: [] }>().setMaxListeners(0);
  readonly #objects = new Map<string, ApiObject>();
  #history: Change[] = [];
  #version = 1_000;
  /** Changes up to here can no longer be watched. */
  #compacted = 1_000;

  get version(): number {
    return this.#version;
  }

  list(resource: Resource, namespace?: string): ApiObject[] {
    const all: ApiObject[] = [];
    for (const [key, object] of this.#objects)
      if (key.startsWith(`${resource}/${namespace === undefined ? '' : `${namespace}/`}`)) all.push(object);
    return all.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  find(resource: Resource, namespace: string, name: string): ApiObject | undefined {
    return this.#objects.get(`${resource}/${namespace}/${name}`);
  }

  get(resource: Resource, namespace: string, name: string): ApiObject {
    const object = this.find(resource, namespace, name);
    if (object !== undefined) return object;
    throw new Refusal(404, 'NotFound', `${resource} "${name}" not found`, { name, kind: resource });
  }

  create(resource: Resource, object: ApiObject): ApiObject {
    const { name, namespace } = object.metadata;
    if (this.find(resource, namespace, name) !== undefined)
      throw new Refusal(409, 'AlreadyExists', `${resource} "${name}" already exists`, { name, kind: resource });
    const created = structuredClone(object);
    created.metadata.uid = randomUUID();
    created.metadata.creationTimestamp = timestamp();
    return this.#write(resource, 'ADDED', undefined, created);
  }

  /** `edit` gets a copy. Without a version of its own it is based on the object as it is. */
  update(
    resource: Resource,
    namespace: string,
    name: string,
    edit: (object: ApiObject) => void,
    based?: Preconditions,
  ): ApiObject {
    const before = this.get(resource, namespace, name);
    check(resource, before, based);
    const after = structuredClone(before);
    edit(after);
    if (JSON.stringify(after) === JSON.stringify(before)) return before;
    const isGone = after.metadata.deletionTimestamp !== undefined && (after.metadata.finalizers ?? []).length === 0;
    // The last finalizer of what is to be deleted at once takes it away.
    if (
      isGone &&
      (after.metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
      (before.metadata.finalizers ?? []).length > 0
    )
      return this.#remove(resource, after);
    return this.#write(resource, 'MODIFIED', before, after);
  }

  /** With a grace the object stays, marked; with finalizers as well. */
  delete(resource: Resource, namespace: string, name: string, graceSeconds: number, based?: Preconditions): ApiObject {
    const before = this.get(resource, namespace, name);
    check(resource, before, based);
    const marked = structuredClone(before);
    const { metadata } = marked;
    const isShorter = (metadata.deletionGracePeriodSeconds ?? Infinity) > graceSeconds;
    if (metadata.deletionTimestamp === undefined || isShorter) {
      metadata.deletionTimestamp = timestamp(Date.now() + graceSeconds * 1_000);
      metadata.deletionGracePeriodSeconds = graceSeconds;
    }
    if (graceSeconds === 0 && (metadata.finalizers ?? []).length === 0) return this.#remove(resource, marked);
    if (JSON.stringify(marked) === JSON.stringify(before)) return before;
    return this.#write(resource, 'MODIFIED', before, marked);
  }

  /** Changes after a version. Throws 410 where they are forgotten, 504 where they lie in the future. */
  since(version: number): readonly Change[] {
    if (version < this.#compacted)
      throw new Refusal(410, 'Expired', `too old resource version: ${version} (${this.#compacted})`);
    if (version > this.#version)
      throw new Refusal(504, 'Timeout', `Too large resource version: ${version}, current: ${this.#version}`);
    return this.#history.filter((change) => change.version > version);
  }

  /** Forgets all history, as the database does by and by. */
  compact(): void {
    this.#version++;
    this.#compacted = this.#version;
    this.#history = [];
    this.changed.emit('compacted');
  }

  #write(resource: Resource, kind: 'ADDED' | 'MODIFIED', before: ApiObject | undefined, after: ApiObject): ApiObject {
    after.metadata.resourceVersion = String(++this.#version);
    this.#objects.set(`${resource}/${keyOf(after)}`, after);
    this.#record({ version: this.#version, resource, kind, before, after });
    return after;
  }

  #remove(resource: Resource, last: ApiObject): ApiObject {
    const before = this.get(resource, last.metadata.namespace, last.metadata.name);
    const after = structuredClone(last);
    after.metadata.resourceVersion = String(++this.#version);
    this.#objects.delete(`${resource}/${keyOf(after)}`);
    this.#record({ version: this.#version, resource, kind: 'DELETED', before, after });
    this.#collect(after.metadata.uid);
    return after;
  }

  /** What the removed object owned goes with it. */
  #collect(owner: string): void {
    for (const resource of Object.keys(RESOURCES) as Resource[])
      for (const { metadata } of this.list(resource)) {
        const owners = metadata.ownerReferences ?? [];
        if (owners.length > 0 && owners.every(({ uid }) => uid === owner))
          this.delete(resource, metadata.namespace, metadata.name, 0);
      }
  }

  #record(change: Change): void {
    this.#history.push(change);
    this.changed.emit('change', change);
  }
}

const keyOf = ({ metadata }: ApiObject): string => `${metadata.namespace}/${metadata.name}`;

/** The API knows no milliseconds. */
export const timestamp = (at = Date.now()): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');

function check(resource: Resource, { metadata }: ApiObject, based: Preconditions | undefined): void {
  const { uid, resourceVersion, name } = metadata;
  const problem =
    based?.uid !== undefined && based.uid !== uid
      ? `Precondition failed: UID in precondition: ${based.uid}, UID in object meta: ${uid}`
      : based?.resourceVersion !== undefined && based.resourceVersion !== resourceVersion
        ? 'the object has been modified; please apply your changes to the latest version and try again'
        : undefined;
  if (problem !== undefined)
    throw new Refusal(409, 'Conflict', `Operation cannot be fulfilled on ${resource} "${name}": ${problem}`, {
      name,
      kind: resource,
    });
}
