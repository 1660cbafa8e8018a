import { formatText } from './format.ts';
import { bind, equal, isPlainObject, iterate, order, splitArgs, str, strict, truthy } from './values.ts';

type Method<T> = (self: T, ...args: unknown[]) => unknown;

const escapeClass = (chars: string): string => chars.replaceAll(/[\\\]^-]/g, String.raw`\$&`);
const edge = (chars: unknown): string =>
  chars === undefined || chars === null ? String.raw`\s` : `[${escapeClass(str(chars))}]`;
const words = (text: string): string[] =>
  text
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '');
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1).toLowerCase();

function split(text: string, fromRight: boolean, args: readonly unknown[]): string[] {
  const { sep, maxsplit } = bind(['sep', 'maxsplit'], args);
  const parts = sep === undefined || sep === null ? words(text) : text.split(str(sep));
  const limit = maxsplit === undefined ? -1 : Number(maxsplit);
  if (limit < 0 || parts.length <= limit + 1) return parts;
  const joint = sep === undefined || sep === null ? ' ' : str(sep);
  return fromRight
    ? [parts.slice(0, parts.length - limit).join(joint), ...parts.slice(parts.length - limit)]
    : [...parts.slice(0, limit), parts.slice(limit).join(joint)];
}

const anyOf = (needle: unknown, test: (text: string) => boolean): boolean =>
  Array.isArray(needle) ? needle.some((n) => test(str(n))) : test(str(needle));

/** Python's methods of texts. */
export const TEXT_METHODS: Readonly<Record<string, Method<string>>> = {
  upper: (s) => s.toUpperCase(),
  lower: (s) => s.toLowerCase(),
  casefold: (s) => s.toLowerCase(),
  capitalize: capital,
  title: (s) => s.replaceAll(/\p{L}+/gu, capital),
  swapcase: (s) => [...s].map((c) => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase())).join(''),
  strip: (s, chars) => s.replace(new RegExp(`^${edge(chars)}+`), '').replace(new RegExp(`${edge(chars)}+$`), ''),
  lstrip: (s, chars) => s.replace(new RegExp(`^${edge(chars)}+`), ''),
  rstrip: (s, chars) => s.replace(new RegExp(`${edge(chars)}+$`), ''),
  split: (s, ...args) => split(s, false, args),
  rsplit: (s, ...args) => split(s, true, args),
  splitlines: (s) => s.replace(/\r?\n$/, '').split(/\r?\n/),
  partition: (s, sep) =>
    s.includes(str(sep))
      ? [s.slice(0, s.indexOf(str(sep))), str(sep), s.slice(s.indexOf(str(sep)) + str(sep).length)]
      : [s, '', ''],
  rpartition: (s, sep) =>
    s.includes(str(sep))
      ? [s.slice(0, s.lastIndexOf(str(sep))), str(sep), s.slice(s.lastIndexOf(str(sep)) + str(sep).length)]
      : ['', '', s],
  replace: (s, from, to, count) => {
    const parts = s.split(str(from));
    const limit = count === undefined ? parts.length : Number(count);
    return parts.reduce((text, part, i) => text + (i <= limit ? str(to) : str(from)) + part);
  },
  startswith: (s, prefix) => anyOf(prefix, (p) => s.startsWith(p)),
  endswith: (s, suffix) => anyOf(suffix, (p) => s.endsWith(p)),
  removeprefix: (s, prefix) => (s.startsWith(str(prefix)) ? s.slice(str(prefix).length) : s),
  removesuffix: (s, suffix) => (str(suffix) !== '' && s.endsWith(str(suffix)) ? s.slice(0, -str(suffix).length) : s),
  join: (s, items) => iterate(items).map(str).join(s),
  format: (s, ...args) => formatText(s, splitArgs(args)),
  find: (s, part) => s.indexOf(str(part)),
  rfind: (s, part) => s.lastIndexOf(str(part)),
  count: (s, part) => s.split(str(part)).length - 1,
  zfill: (s, width) =>
    /^[+-]/.test(s) ? s.charAt(0) + s.slice(1).padStart(Number(width) - 1, '0') : s.padStart(Number(width), '0'),
  ljust: (s, width, fill) => s.padEnd(Number(width), fill === undefined ? ' ' : str(fill)),
  rjust: (s, width, fill) => s.padStart(Number(width), fill === undefined ? ' ' : str(fill)),
  center: (s, width, fill) =>
    s
      .padStart(s.length + Math.floor((Number(width) - s.length) / 2), fill === undefined ? ' ' : str(fill))
      .padEnd(Number(width), fill === undefined ? ' ' : str(fill)),
  isdigit: (s) => /^\p{Nd}+$/u.test(s),
  isalpha: (s) => /^\p{L}+$/u.test(s),
  isalnum: (s) => /^[\p{L}\p{N}]+$/u.test(s),
  isspace: (s) => /^\s+$/.test(s),
  isupper: (s) => s !== s.toLowerCase() && s === s.toUpperCase(),
  islower: (s) => s !== s.toUpperCase() && s === s.toLowerCase(),
};

/** Python's methods of lists; those that change a list change it, as `{% do %}` needs. */
export const LIST_METHODS: Readonly<Record<string, Method<unknown[]>>> = {
  append: (list, item) => (list.push(strict(item)), null),
  extend: (list, items) => (list.push(...iterate(items)), null),
  insert: (list, at, item) => (list.splice(Number(at), 0, item), null),
  pop: (list, at) => list.splice(at === undefined ? -1 : Number(at), 1)[0] ?? null,
  remove: (list, item) => (
    list.splice(
      list.findIndex((each) => equal(each, item)),
      1,
    ),
    null
  ),
  index: (list, item) => list.findIndex((each) => equal(each, item)),
  count: (list, item) => list.filter((each) => equal(each, item)).length,
  reverse: (list) => (list.reverse(), null),
  copy: (list) => [...list],
  clear: (list) => (list.splice(0), null),
  sort: (list, ...args) => (
    list.sort((a, b) => (truthy(splitArgs(args).kwargs['reverse'] ?? false) ? order(b, a) : order(a, b))),
    null
  ),
};

/** Python's methods of dicts. */
export const DICT_METHODS: Readonly<Record<string, Method<Record<string, unknown>>>> = {
  get: (dict, key, fallback = null) => (Object.hasOwn(dict, str(key)) ? dict[str(key)] : fallback),
  items: (dict) => Object.entries(dict),
  keys: (dict) => Object.keys(dict),
  values: (dict) => Object.values(dict),
  copy: (dict) => ({ ...dict }),
  update: (dict, ...args) => {
    const { positional, kwargs } = splitArgs(args);
    Object.assign(dict, isPlainObject(positional[0]) ? positional[0] : {}, kwargs);
    return null;
  },
  setdefault: (dict, key, fallback = null) => (dict[str(key)] ??= fallback),
  pop: (dict, key, fallback = null) => {
    const value = Object.hasOwn(dict, str(key)) ? dict[str(key)] : fallback;
    delete dict[str(key)];
    return value;
  },
};
