import type { RunKeys, StoredRunKey } from '@rondo/ports';

/** A store of run keys in memory. */
export function memoryRunKeys(): RunKeys & { readonly ids: () => readonly string[] } {
  const keys = new Map<string, StoredRunKey>();
  const finished = new Set<string>();
  return {
    ids: () => [...keys].flatMap(([id, key]) => (key === 'erased' ? [] : id)),
    create: async (id, key) => keys.get(id) ?? (keys.set(id, { key }), { key }),
    get: async (id) => keys.get(id),
    delete: async (id) => void keys.set(id, 'erased'),
    finish: async (id) => void (keys.get(id) === 'erased' && finished.add(id)),
    unfinished: async (ids) => ids.filter((id) => !finished.has(id)),
    close: async () => undefined,
  };
}
