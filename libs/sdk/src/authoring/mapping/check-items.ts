import * as z from 'zod';
import { problems, TASK_KEYS, unknownKeys } from '../attributes.ts';
import { isSource } from '../source.ts';
import { isKwargs, mappedNames, type Mapping } from './mapping.ts';

export type ArgumentSchema = z.ZodType | undefined;
type Args = Readonly<Record<string, unknown>>;

/** Of a literal so many items are checked when the file loads, the rest when their instances run. */
const CHECKED = 1_000;
const NONE: ReadonlySet<string> = new Set();
const FIXED: ReadonlySet<string> = new Set([...TASK_KEYS, 'id', 'dag', 'group']);

/** Why an argument may not be given by a mapping; undefined: it may. */
export function unmappable(name: string, fixed: Args, ownKeys: ReadonlySet<string> = NONE): string | undefined {
  if (name === 'params') return undefined;
  if (FIXED.has(name) || ownKeys.has(name))
    return `${name} cannot be mapped over; allowed: arguments of the operator, and params`;
  if (fixed[name] !== undefined) return `${name} is unmappable or already specified: partial() gives it too`;
  return undefined;
}

/** Refuses a mapping whose names, or whose items as far as they are known, the operator does not take. `ownKeys`: attributes of its class. */
export function checkItems(
  mapping: Mapping,
  fixed: Args,
  schema: ArgumentSchema,
  refuse: (reason: string) => never,
  ownKeys: ReadonlySet<string> = NONE,
): void {
  const names = mappedNames(mapping);
  for (const name of names) {
    const reason = unmappable(name, fixed, ownKeys);
    if (reason !== undefined) refuse(reason);
  }
  if (schema === undefined) return;
  const shape = schema instanceof z.ZodObject ? (schema.shape as Args) : undefined;
  const strangers = [...names].filter((name) => shape !== undefined && name !== 'params' && !(name in shape));
  if (strangers.length > 0) refuse(unknownKeys(strangers, [], [...Object.keys(shape!), 'params']));
  const args = Object.fromEntries(Object.entries(fixed).filter(([name]) => !FIXED.has(name) && !ownKeys.has(name)));
  for (const [number, item] of knownItems(mapping).entries()) {
    const given: Args = { ...args, ...item.values };
    const parsed = schema.safeParse(given);
    if (parsed.success) continue;
    const issues = parsed.error.issues.filter((issue) => !item.open(String(issue.path[0])));
    if (issues.length > 0) refuse(`item ${number}: ${problems(new z.ZodError(issues), given, schema).join('; ')}`);
  }
}

interface KnownItem {
  readonly values: Args;
  /** True for an argument that is known when a task has run. */
  readonly open: (name: string) => boolean;
}

/** Items of literals, so that each item of each list is among them once. */
function knownItems({ kind, over }: Mapping): readonly KnownItem[] {
  const literals = over.flatMap(({ name, list }) =>
    isSource(list) ? [] : [{ name, items: Array.isArray(list) ? (list as readonly unknown[]) : Object.entries(list) }],
  );
  const longest = Math.max(0, ...literals.map(({ items }) => items.length));
  return Array.from({ length: Math.min(longest, CHECKED) }, (_, number) => {
    const entries = literals
      .filter(({ items }) => items.length > 0)
      .map(({ name, items }) => [name, items[Math.min(number, items.length - 1)]] as const)
      .filter(([, item]) => !isSource(item));
    const [first] = entries;
    if (kind === 'kwargs')
      return isKwargs(first?.[1])
        ? { values: without(first[1], 'params'), open: () => false }
        : { values: {}, open: () => true };
    const known = new Set(entries.map(([name]) => name));
    return {
      values: without(Object.fromEntries(entries), 'params'),
      open: (name: string) => over.some((each) => each.name === name) && !known.has(name),
    };
  });
}

const without = (args: Args, name: string): Args =>
  Object.fromEntries(Object.entries(args).filter(([key]) => key !== name));
