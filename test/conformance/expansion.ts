import type { Expansion, LengthExpr } from '@rondo/domain';
import { fields, Inexpressible, text, type Fields } from './case.ts';

/** What a task of a case is mapped over; undefined: it is not mapped. */
export function expansionOf(task: Fields): Expansion | undefined {
  if (task['expand_kwargs'] !== undefined)
    return { kind: 'kwargs', over: [{ name: '', length: lengthOf(task['expand_kwargs']) }] };
  return task['expand'] === undefined ? undefined : productOf(task['expand']);
}

export function productOf(expand: unknown): Expansion {
  const over = Object.entries(fields(expand, 'expand')).map(([name, value]) => ({ name, length: lengthOf(value) }));
  return { kind: 'product', over };
}

/** Ids of the tasks that a task of a case is mapped over. */
export function sourcesOf(task: Fields): readonly string[] {
  const found = new Set<string>();
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if (isXcom(value)) found.add(value.xcom);
    else for (const each of Object.values(value)) walk(each);
  };
  walk([task['expand'], task['expand_kwargs']]);
  return [...found];
}

const isXcom = (value: object): value is { readonly xcom: string } => 'xcom' in value && typeof value.xcom === 'string';

function lengthOf(value: unknown): LengthExpr {
  if (Array.isArray(value)) return { kind: 'literal', length: value.length };
  const given = fields(value, 'what is mapped over');
  if (isXcom(given)) return { kind: 'output', taskId: text(given.xcom, 'xcom'), path: [] };
  for (const kind of ['zip', 'concat'] as const) {
    const of = given[kind];
    if (Array.isArray(of))
      return { kind, of: of.map(lengthOf), ...('fillvalue' in given ? LONGEST : {}) } as LengthExpr;
  }
  if ('map' in given) return lengthOf(given['map']);
  if (Object.keys(given).some((name) => name.startsWith('xcom'))) throw new Inexpressible(JSON.stringify(given));
  return { kind: 'literal', length: Object.keys(given).length };
}

const LONGEST = { longest: true } as const;
