import type { Expansion, LengthExpr } from '@rondo/domain';
import { assertNever } from '@rondo/kernel';
import { show } from '../error.ts';
import { isMappable, isPlain, isSource, lengthOf, SOURCE, type Expression, type Mappable } from '../source.ts';
import type { TaskGroup } from '../task-group.ts';

/** What a task or a group is mapped over. */
export interface Mapping {
  /** `product`: an instance for each combination, the last argument varying fastest; `kwargs`: one for each item. */
  readonly kind: Expansion['kind'];
  /** In the order of declaration; of `kwargs` one, without a name. */
  readonly over: readonly { readonly name: string; readonly list: Mappable }[];
}

type Refuse = (reason: string) => never;

export function productOf(inputs: Readonly<Record<string, unknown>>, refuse: Refuse): Mapping {
  const given = Object.entries(inputs).filter(([, list]) => list !== undefined);
  if (given.length === 0) refuse('expand() is given nothing; allowed: a list for at least one argument');
  const over = given.map(([name, list]) => {
    if (!isMappable(list))
      refuse(
        `${name} is ${show(list)}, which cannot be mapped over; allowed: a list, an object, or the output of a task`,
      );
    return { name, list };
  });
  return { kind: 'product', over };
}

export function kwargsOf(list: unknown, refuse: Refuse): Mapping {
  if (!isSource(list) && !Array.isArray(list))
    refuse(`expandKwargs() is given ${show(list)}; allowed: a list of objects, or the output of a task`);
  const items: readonly unknown[] = isSource(list) ? [] : (list as readonly unknown[]);
  const stranger = items.findIndex((item) => !isKwargs(item) && !isSource(item));
  if (stranger !== -1)
    refuse(`item ${stranger} of expandKwargs() is ${show(items[stranger])}; allowed: an object of arguments`);
  return { kind: 'kwargs', over: [{ name: '', list: list as Mappable }] };
}

export const isKwargs = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isSource(value) && isPlain(value);

/** Names that are given by the mapping, as far as the DAG file says them. */
export function mappedNames(mapping: Mapping): ReadonlySet<string> {
  if (mapping.kind === 'product') return new Set(mapping.over.map(({ name }) => name));
  const { list } = mapping.over[0]!;
  return new Set(Array.isArray(list) ? list.flatMap((item) => (isKwargs(item) ? Object.keys(item) : [])) : []);
}

/** The mapped groups that a task of this group is in, outermost first: each has an element of a map index. */
export function mappedGroupsAround(group: TaskGroup | undefined): readonly TaskGroup[] {
  const around: TaskGroup[] = [];
  for (let at = group; at !== undefined; at = at.parent) if (at.mapping !== undefined) around.unshift(at);
  return around;
}

/** How many mapped groups two places have in common. */
export function sharedLevels(a: TaskGroup | undefined, b: TaskGroup | undefined): number {
  const [one, other] = [mappedGroupsAround(a), mappedGroupsAround(b)];
  const apart = one.findIndex((group, level) => group !== other[level]);
  return apart === -1 ? one.length : apart;
}

/** Every output that a length is told by. */
export function* outputsIn(list: Mappable): Generator<Extract<Expression, { kind: 'output' | 'argument' }>> {
  if (!isSource(list)) return;
  const ref: Expression = list[SOURCE];
  if (ref.kind === 'output' || ref.kind === 'argument') yield ref;
  else if (ref.kind === 'map') yield* outputsIn(ref.of);
  else if (ref.kind !== 'value') for (const each of ref.of) yield* outputsIn(each);
}

export function expansionOf(mapping: Mapping): Expansion {
  return { kind: mapping.kind, over: mapping.over.map(({ name, list }) => ({ name, length: lengthExpr(list) })) };
}

function lengthExpr(list: Mappable): LengthExpr {
  if (!isSource(list)) return { kind: 'literal', length: lengthOf(list) };
  const ref: Expression = list[SOURCE];
  switch (ref.kind) {
    case 'output':
      return { kind: 'output', taskId: ref.task.taskId, path: ref.path };
    case 'map':
      return lengthExpr(ref.of);
    case 'zip':
      return { kind: 'zip', of: ref.of.map(lengthExpr), ...(ref.fill === undefined ? {} : { longest: true as const }) };
    case 'concat':
      return { kind: 'concat', of: ref.of.map(lengthExpr) };
    case 'argument':
    case 'value':
      throw new Error(`a length cannot be told of ${ref.kind}`);
    default:
      return assertNever(ref, 'source');
  }
}
