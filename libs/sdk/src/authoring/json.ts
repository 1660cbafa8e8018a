import { err, ok, type Json, type Result } from '@rondo/kernel';

/** The value as JSON, or where in it something is that JSON cannot hold. Keys with `undefined` are left out. */
export function jsonOf(value: unknown): Result<Json> {
  const ancestors = new Set<object>();
  const walk = (at: unknown, path: string): Result<Json> => {
    if (at === null || typeof at === 'string' || typeof at === 'boolean') return ok(at);
    if (typeof at === 'number') return Number.isFinite(at) ? ok(at) : refuse(String(at), path, 'null or a text');
    if (typeof at !== 'object')
      return refuse(
        typeof at === 'bigint' ? `the bigint ${at}` : typeof at === 'undefined' ? 'undefined' : `a ${typeof at}`,
        path,
        ADVICE[typeof at],
      );
    if (ancestors.has(at)) return refuse('a reference to what holds it', path, undefined);
    ancestors.add(at);
    const result = Array.isArray(at) ? walkList(at, path) : walkObject(at, path);
    ancestors.delete(at);
    return result;
  };
  const walkList = (list: readonly unknown[], path: string): Result<Json> => {
    const items: Json[] = [];
    for (let i = 0; i < list.length; i++) {
      const item = walk(list[i] === undefined ? null : list[i], `${path}[${i}]`);
      if (!item.ok) return item;
      items.push(item.value);
    }
    return ok(items);
  };
  const walkObject = (object: object, path: string): Result<Json> => {
    const prototype: unknown = Object.getPrototypeOf(object);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      const name = object.constructor?.name ?? 'object';
      return refuse(`a ${name}`, path, ADVICE[name] ?? 'a plain object of its fields');
    }
    const entries: [string, Json][] = [];
    for (const [key, item] of Object.entries(object)) {
      if (item === undefined) continue;
      const json = walk(item, /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`);
      if (!json.ok) return json;
      entries.push([key, json.value]);
    }
    return ok(Object.fromEntries(entries));
  };
  return walk(value, '$');
}

const ADVICE: Readonly<Record<string, string>> = {
  bigint: 'a number or a text',
  Date: '.toISOString()',
  Map: 'Object.fromEntries(map)',
  Set: '[...set]',
  Buffer: ".toString('base64')",
  Uint8Array: 'a base64 text',
  Error: 'its message',
};

function refuse(what: string, path: string, advice: string | undefined): Result<Json> {
  return err(`${what} at ${path} is not JSON${advice === undefined ? '' : `; use ${advice}`}`);
}
