import { isPlain } from '../authoring/source.ts';

/** A list whose items are taken one at a time. */
export interface List {
  length(): Promise<number>;
  /** The item, the caller's own. Throws where there is none. */
  at(index: number): Promise<unknown>;
}

/** Of a list its items, of an object its entries; undefined for what is neither. Maps and sets are objects and lists too. */
export function itemsOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (value instanceof Map || value instanceof Set) return [...value];
  if (typeof value !== 'object' || value === null || !isPlain(value)) return undefined;
  return Object.entries(value).filter(([, item]) => item !== undefined);
}

/** `take`: what is given away of an item. */
export function listOf(items: readonly unknown[], take: (item: unknown) => unknown = (item) => item): List {
  return {
    length: () => Promise.resolve(items.length),
    at: (index) =>
      index < items.length
        ? Promise.resolve(take(items[index]))
        : Promise.reject(new RangeError(`there is no item ${index}: the list has ${items.length} now`)),
  };
}

export function mapList(of: List, fn: (item: unknown) => unknown): List {
  return { length: () => of.length(), at: async (index) => fn(await of.at(index)) };
}

/** `fill`: as long as the longest, with the value in the place of what is missing. */
export function zipList(lists: readonly List[], fill: { readonly value: unknown } | undefined): List {
  const lengths = (): Promise<number[]> => Promise.all(lists.map((list) => list.length()));
  return {
    length: async () => (fill === undefined ? Math.min(...(await lengths())) : Math.max(...(await lengths()))),
    at: async (index) => {
      if (fill === undefined) return Promise.all(lists.map((list) => list.at(index)));
      const known = await lengths();
      return Promise.all(lists.map((list, i) => (index < known[i]! ? list.at(index) : fill.value)));
    },
  };
}

export function concatList(lists: readonly List[]): List {
  return {
    length: async () => (await Promise.all(lists.map((list) => list.length()))).reduce((sum, each) => sum + each, 0),
    at: async (index) => {
      let left = index;
      for (const list of lists) {
        const length = await list.length();
        if (left < length) return list.at(left);
        left -= length;
      }
      throw new RangeError(`there is no item ${index}: the lists have ${index - left} together now`);
    },
  };
}

export async function allOf(list: List): Promise<unknown[]> {
  const items: unknown[] = [];
  const length = await list.length();
  for (let index = 0; index < length; index++) items.push(await list.at(index));
  return items;
}

/** Which item of each list an instance gets: the last list varies fastest. */
export async function placesOf(index: number, lists: readonly List[]): Promise<readonly number[]> {
  const places: number[] = [];
  let left = index;
  for (const [i, list] of [...lists.entries()].reverse()) {
    const length = i === 0 ? Infinity : await list.length();
    places.unshift(length === Infinity ? left : left % length);
    left = length === Infinity ? 0 : Math.floor(left / length);
  }
  return places;
}
