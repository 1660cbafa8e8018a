import { TemplateError } from './errors.ts';
import { isPlainObject, repr, str, strict, type Kwargs } from './values.ts';

/** `'{} of {n:03d}'.format(...)`: positions, names, members, and the format specification of numbers and texts. */
export function formatText(
  text: string,
  { positional, kwargs }: { readonly positional: readonly unknown[]; readonly kwargs: Kwargs },
): string {
  let next = 0;
  return text.replaceAll(
    /\{\{|\}\}|\{([^{}!:]*)(?:!([rs]))?(?::([^{}]*))?\}/g,
    (whole, field: string | undefined, conversion: string | undefined, spec: string | undefined) => {
      if (field === undefined) return whole.charAt(0);
      const [, head = '', path = ''] = /^([^.[]*)(.*)$/.exec(field) ?? [];
      const first = head === '' ? positional[next++] : /^\d+$/.test(head) ? positional[Number(head)] : kwargs[head];
      const value = [...path.matchAll(/\.(\w+)|\[([^\]]+)\]/g)].reduce<unknown>(
        (at, m) => member(at, m[1] ?? m[2]!),
        first,
      );
      if (value === undefined) throw new TemplateError(`no argument for '{${field}}' in '${text}'`);
      return applySpec(conversion === 'r' ? repr(value) : value, spec ?? '');
    },
  );
}

function member(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value[Number(key)];
  return isPlainObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

const SPEC = /^(?:(.)?([<>^=]))?([+ -])?(0)?(\d+)?(,)?(?:\.(\d+))?([a-zA-Z%])?$/u;

function applySpec(value: unknown, spec: string): string {
  const match = SPEC.exec(spec);
  if (match === null) throw new TemplateError(`'${spec}' is not a format`);
  const [, fill, align, sign = '-', zero, width, comma, precision, type] = match;
  const numeric = typeof value === 'number';
  let text = numeric
    ? formatNumber(value, type, precision, comma !== undefined)
    : precision === undefined
      ? str(value)
      : str(value).slice(0, Number(precision));
  if (numeric && value >= 0 && sign !== '-') text = sign + text;
  const size = Number(width ?? 0);
  if (zero !== undefined && align === undefined)
    return text.startsWith('-') ? `-${text.slice(1).padStart(size - 1, '0')}` : text.padStart(size, '0');
  const side = align ?? (numeric ? '>' : '<');
  const pad = fill ?? ' ';
  if (side === '<') return text.padEnd(size, pad);
  if (side === '^')
    return text.padStart(text.length + Math.floor(Math.max(0, size - text.length) / 2), pad).padEnd(size, pad);
  return text.padStart(size, pad);
}

function formatNumber(value: number, type: string | undefined, precision: string | undefined, comma: boolean): string {
  const digits = Number(precision ?? 6);
  const group = (text: string): string => (comma ? text.replace(/\B(?=(\d{3})+(?!\d))/g, ',') : text);
  switch (type) {
    case 'f':
    case 'F': {
      const [whole, part] = value.toFixed(digits).split('.');
      return group(whole!) + (part === undefined ? '' : `.${part}`);
    }
    case '%':
      return `${(value * 100).toFixed(digits)}%`;
    case 'e':
      return value.toExponential(digits).replace(/e([+-])(\d)$/, 'e$10$2');
    case 'x':
      return Math.trunc(value).toString(16);
    case 'X':
      return Math.trunc(value).toString(16).toUpperCase();
    case 'o':
      return Math.trunc(value).toString(8);
    case 'b':
      return Math.trunc(value).toString(2);
    case 'd':
      return group(String(Math.trunc(value)));
    default:
      return precision === undefined
        ? group(String(value))
        : String(Number(value.toPrecision(Math.max(1, Number(precision)))));
  }
}

/** `'%s has %05.2f' % (name, size)`, and `'%(name)s' % dict`. */
export function formatPercent(text: string, argument: unknown): string {
  const args = Array.isArray(argument) ? argument : [argument];
  let next = 0;
  return text.replaceAll(
    /%(?:\((\w+)\))?([-+ 0]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g,
    (
      _code,
      name: string | undefined,
      flags: string,
      width: string | undefined,
      precision: string | undefined,
      type: string,
    ) => {
      if (type === '%') return '%';
      const value = strict(name === undefined ? args[next++] : isPlainObject(argument) ? argument[name] : undefined);
      if (value === undefined) throw new TemplateError(`not enough arguments for '${text}'`);
      const body =
        type === 's'
          ? str(value)
          : type === 'r'
            ? repr(value)
            : formatNumber(Number(value), type === 'i' ? 'd' : type, precision, false);
      const size = Number(width ?? 0);
      if (flags.includes('-')) return body.padEnd(size);
      return flags.includes('0') && type !== 's'
        ? applySpec(Number(body), `0${size}`).padStart(size, '0')
        : body.padStart(size);
    },
  );
}
