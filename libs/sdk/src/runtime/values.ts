import type { InputValue, MapIndex } from '@rondo/domain';
import { assertNever, type Json } from '@rondo/kernel';
import { show } from '../authoring/error.ts';
import { isKwargs, mappedGroupsAround, sharedLevels, type Mapping } from '../authoring/mapping/mapping.ts';
import {
  Derived,
  describeSource,
  isSource,
  SOURCE,
  sourcesIn,
  type Expression,
  type Mappable,
  type Path,
  type Source,
} from '../authoring/source.ts';
import type { Task } from '../authoring/task.ts';
import type { TaskGroup } from '../authoring/task-group.ts';
import { renderTemplate } from '../templates/index.ts';
import { allOf, concatList, itemsOf, listOf, mapList, placesOf, zipList, type List } from './lists.ts';
import type { Lookups } from './lookups.ts';

type OneInput = Exclude<InputValue, { readonly mapped: MapIndex }>;
type Args = Readonly<Record<string, unknown>>;
/** What a task returned: one value, or those of all its instances that this attempt sees. */
type Returned =
  | { readonly kind: 'one'; readonly input: OneInput | undefined; readonly value: () => Promise<unknown> }
  | { readonly kind: 'many'; readonly under: MapIndex };

export interface ValuesOptions {
  readonly task: Task | undefined;
  readonly mapIndex: MapIndex;
  readonly lookups: Lookups;
  readonly inputs: Readonly<Record<string, InputValue>>;
}

/** What stands behind the sources among the arguments of one attempt; each is looked up when it is asked for. */
export class Values {
  readonly #options: ValuesOptions;
  readonly #groups = new Map<TaskGroup, Promise<Args>>();

  constructor(options: ValuesOptions) {
    this.#options = options;
  }

  /** The value of a source. */
  async of(source: Source<unknown>): Promise<unknown> {
    const ref: Expression = source[SOURCE];
    switch (ref.kind) {
      case 'output': {
        const returned = this.#returned(ref.task);
        const whole =
          returned.kind === 'one' ? await returned.value() : await this.all(ref.task.taskId, returned.under);
        return partOf(whole, ref.path);
      }
      case 'argument':
        return partOf((await this.#argumentsOf(ref.group))[ref.name], ref.path);
      case 'map':
      case 'zip':
      case 'concat':
        return allOf(await this.#list(source));
      case 'value':
        return ref.value;
      default:
        return assertNever(ref, 'source');
    }
  }

  /** The value with what stands behind its sources in their places. */
  async resolve(value: unknown): Promise<unknown> {
    const replace = await this.replacer(value);
    return replace === undefined ? value : replaceIn(value, replace);
  }

  /** Looks up every source in a value; undefined where there is none. */
  async replacer(value: unknown): Promise<((at: unknown) => { readonly value: unknown } | undefined) | undefined> {
    const sources = sourcesIn(value);
    if (sources.length === 0) return undefined;
    const found = new Map<unknown, { readonly value: unknown }>();
    for (const source of sources) found.set(source, { value: await this.of(source) });
    return (at) => found.get(at);
  }

  /** The arguments that a task's own mapping gives the instance. What a task returned is no template, a literal may be one. */
  async mappedArguments(mapping: Mapping): Promise<Args> {
    const index = this.#options.mapIndex.at(-1)!;
    return this.#itemsAt(mapping, index, (item, isLiteral) => (isLiteral ? item : asValue(item)));
  }

  /** What the mapped groups around give this instance, by name; inner ones go over outer ones. */
  async groupArguments(): Promise<Args> {
    const around = mappedGroupsAround(this.#options.task?.group);
    return Object.assign({}, ...(await Promise.all(around.map((group) => this.#argumentsOf(group))))) as Args;
  }

  /** The values of all instances under a path that have one, in the order of their map indexes. */
  async all(taskId: string, under: MapIndex, key = 'return_value'): Promise<unknown[]> {
    const values: unknown[] = [];
    for await (const page of this.#options.lookups.pages({ taskId, key, under: under.join('.') })) values.push(...page);
    return values;
  }

  /** Where the instances of a task are that this attempt sees. */
  placeOf({ group, mapping }: Task<unknown>): { readonly under: MapIndex; readonly isOne: boolean } {
    const { task, mapIndex } = this.#options;
    const shared = sharedLevels(group, task?.group);
    const levels = mappedGroupsAround(group).length + (mapping === undefined ? 0 : 1);
    return { under: mapIndex.slice(0, shared), isOne: levels === shared };
  }

  #returned(task: Task<unknown>): Returned {
    const { inputs, lookups } = this.#options;
    const { taskId } = task;
    const input = inputs[taskId];
    if (input !== undefined)
      return 'mapped' in input
        ? { kind: 'many', under: input.mapped }
        : { kind: 'one', input, value: () => lookups.input(input) };
    const { under, isOne } = this.placeOf(task);
    if (!isOne) return { kind: 'many', under };
    const mapIndex = under.length === 0 ? {} : { mapIndex: under.join('.') };
    const value = async () => (await lookups.xcom({ taskId, key: 'return_value', ...mapIndex }))?.value;
    return { kind: 'one', input: undefined, value };
  }

  #argumentsOf(group: TaskGroup): Promise<Args> {
    const known = this.#groups.get(group);
    if (known !== undefined) return known;
    const level = mappedGroupsAround(this.#options.task?.group).indexOf(group);
    const index = this.#options.mapIndex[level];
    if (index === undefined || group.mapping === undefined)
      throw new Error(`this is no instance of the mapped group '${group.groupId}'`);
    const found = this.#itemsAt(group.mapping, index, (item) => this.resolve(item));
    this.#groups.set(group, found);
    return found;
  }

  async #itemsAt(
    { kind, over }: Mapping,
    index: number,
    take: (item: unknown, isLiteral: boolean) => unknown,
  ): Promise<Args> {
    const lists: List[] = [];
    for (const { list } of over) lists.push(await this.#list(list));
    const args: Record<string, unknown> = {};
    if (kind === 'product') {
      const places = await placesOf(index, lists);
      for (const [i, { name, list }] of over.entries())
        args[name] = await take(await lists[i]!.at(places[i]!), !isSource(list));
      return args;
    }
    const [{ list }] = over as readonly [Mapping['over'][number]];
    const item = await lists[0]!.at(index);
    const given = isSource(item) ? await this.of(item) : item;
    if (!isKwargs(given))
      throw new TypeError(
        `expandKwargs() expects a list of objects, not a list with ${kindOf(given)} (item ${index} is ${show(given)})`,
      );
    for (const [name, value] of Object.entries(given))
      args[name] = await take(value, !isSource(list) && !isSource(item));
    return args;
  }

  async #list(list: Mappable): Promise<List> {
    // A literal belongs to the DAG file, as every other argument there.
    if (!isSource(list)) return listOf(itemsOf(list) ?? []);
    const ref: Expression = list[SOURCE];
    switch (ref.kind) {
      case 'map':
        return mapList(await this.#resolved(ref.of), ref.fn);
      case 'zip':
        return zipList(await Promise.all(ref.of.map((each) => this.#resolved(each))), ref.fill);
      case 'concat':
        return concatList(await Promise.all(ref.of.map((each) => this.#resolved(each))));
      case 'output': {
        const returned = this.#returned(ref.task);
        if (returned.kind === 'one' && returned.input !== undefined)
          return this.#sharedList(returned.input, ref.path, list);
        if (returned.kind === 'one') return ofValue(partOf(await returned.value(), ref.path), list);
        if (ref.path.length === 0)
          return this.#options.lookups.list({ taskId: ref.task.taskId, under: returned.under });
        return ofValue(await this.of(list), list);
      }
      case 'argument':
      case 'value':
        return ofValue(await this.of(list), list);
      default:
        return assertNever(ref, 'source');
    }
  }

  /** Of a list that other attempts in this process look at too each gives away copies. */
  async #sharedList(input: OneInput, path: Path, source: Source<unknown>): Promise<List> {
    const { lookups } = this.#options;
    let json: unknown = await lookups.shared(input);
    // What is no plain JSON is a value of its own: it is decoded as a whole.
    for (const key of path) if (!isTagged(json)) json = partOf(json, [key]);
    if (isTagged(json)) return ofValue(partOf(await lookups.input(input), path), source);
    const items = itemsOf(json);
    if (items === undefined) return ofValue(json, source);
    return listOf(items, (item) => lookups.store.decode(JSON.parse(JSON.stringify(item)) as Json));
  }

  /** A list in another: outputs among its items are looked up. */
  async #resolved(list: Mappable): Promise<List> {
    const found = await this.#list(list);
    return isSource(list) ? found : mapList(found, (item) => this.resolve(item));
  }
}

const isTagged = (json: unknown): boolean => typeof json === 'object' && json !== null && Object.hasOwn(json, '$type');

const asValue = (value: unknown): Source<unknown> => new Derived({ kind: 'value', value });

function ofValue(value: unknown, source: Source<unknown>): List {
  const items = itemsOf(value);
  if (items === undefined)
    throw new TypeError(`${describeSource(source)} is ${kindOf(value)}; only a list or an object can be mapped over`);
  return listOf(items);
}

/** `a list`, `a number`, `null`: what a value is, said without the value. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** What is found in a value along a path; undefined where it ends early. A negative index counts from the end of a list. */
export function partOf(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, key) => {
    if (typeof at !== 'object' || at === null) return undefined;
    if (Array.isArray(at) && typeof key === 'number') return at.at(key) as unknown;
    return (at as Record<string | number, unknown>)[key];
  }, value);
}

/** Without templates nothing is rendered: the walk only puts values in the places of outputs. */
export function replaceIn(
  value: unknown,
  replace: (value: unknown) => { readonly value: unknown } | undefined,
): unknown {
  return renderTemplate(
    value,
    {},
    { replace: (each) => replace(each) ?? (typeof each === 'string' ? { value: each } : undefined) },
  );
}
