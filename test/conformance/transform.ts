import { Inexpressible } from './case.ts';

/** Throws: `skip`, or an error with this message. */
export type Raise = (what: string) => never;
export type Transform = (item: unknown, raise: Raise) => unknown;

type Names = ReadonlyMap<string, unknown>;

/**
 * A transform as cases write it: `value -> {value: value+value}`, `c -> raise skip, else {value: v}`,
 * `(number,letter) -> letter repeated number times`. A word before the arrow that is one of the items is a condition.
 */
export function readTransform(text: string, items: readonly unknown[]): Transform {
  const [head = '', otherwise] = text.split(/,?\s*\belse\b/);
  const [, before, result] = /^\s*(\([^)]*\)|\w+)\s*->\s*(.+?)\s*$/.exec(head) ?? [];
  if (before === undefined || result === undefined) throw new Inexpressible(`the transform '${text}'`);
  if (otherwise === undefined) return (item, raise) => evaluate(result, bind(before, item), item, raise);
  if (!items.map(String).includes(before)) throw new Inexpressible(`the transform '${text}'`);
  return (item, raise) => evaluate(String(item) === before ? result : otherwise, new Map(), item, raise);
}

function bind(before: string, item: unknown): Names {
  if (!before.startsWith('(')) return new Map([[before, item]]);
  const names = before.slice(1, -1).split(',');
  return new Map(names.map((name, i) => [name.trim(), (item as readonly unknown[])[i]]));
}

function evaluate(given: string, names: Names, item: unknown, raise: Raise): unknown {
  const text = given.trim();
  if (text === 'null' || text === 'None') return null;
  if (text === 'identity') return item;
  const raised = /^raise(?:s)?\s+(.+)$/.exec(text)?.[1];
  if (raised !== undefined) return raise(/skip/i.test(raised) ? 'skip' : raised);
  const object = /^\{(.*)\}$/.exec(text)?.[1];
  if (object !== undefined)
    return Object.fromEntries(
      object.split(',').map((entry) => {
        const [key = '', value = ''] = entry.split(':');
        return [key.trim().replaceAll(/['"]/g, ''), evaluate(value, names, item, raise)];
      }),
    );
  const [, repeated, times] = /^(\w+) repeated (\w+) times$/.exec(text) ?? [];
  if (repeated !== undefined && times !== undefined)
    return String(wordOf(repeated, names, item)).repeat(Number(wordOf(times, names, item)));
  const [, left, sign, right] = /^(\w+)\s*([+*])\s*(\w+)$/.exec(text) ?? [];
  if (left === undefined || right === undefined) return wordOf(text, names, item);
  const [a, b] = [wordOf(left, names, item), wordOf(right, names, item)];
  if (sign === '+') return (a as number) + (b as number);
  return typeof a === 'string' ? a.repeat(Number(b)) : Number(a) * Number(b);
}

/** A name that nothing binds stands for the item. */
function wordOf(word: string, names: Names, item: unknown): unknown {
  if (/^-?\d+$/.test(word)) return Number(word);
  const quoted = /^(['"])(.*)\1$/.exec(word)?.[2];
  if (quoted !== undefined) return quoted;
  if (!/^\w+$/.test(word)) throw new Inexpressible(`'${word}' in a transform`);
  return names.has(word) ? names.get(word) : item;
}
