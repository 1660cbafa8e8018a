/** What a text is as a literal of Python (`ast.literal_eval`); undefined: it is none. Tuples are lists. */
export function literalEval(text: string): { readonly value: unknown } | undefined {
  if (/^\s/.test(text)) return undefined;
  const parser = new Parser(text);
  try {
    const value = parser.whole();
    return { value };
  } catch (error) {
    if (error instanceof NoLiteral) return undefined;
    throw error;
  }
}

class NoLiteral extends Error {}

const WORDS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['True', true],
  ['False', false],
  ['None', null],
]);
const NUMBER =
  /^(?:0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+|(?:\d(?:_?\d)*)?\.\d(?:_?\d)*(?:[eE][+-]?\d+)?|\d(?:_?\d)*(?:\.(?:[eE][+-]?\d+)?|[eE][+-]?\d+)?)/;
const TEXT = /^(?:'((?:[^'\\\n]|\\[^])*)'|"((?:[^"\\\n]|\\[^])*)")/;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', v: '\v', a: '\u0007' };
const DEPTH = 100;

class Parser {
  #rest: string;
  #depth = 0;

  constructor(text: string) {
    this.#rest = text;
  }

  whole(): unknown {
    const first = this.#value();
    const value = this.#peek(',') ? [first, ...this.#items('')] : first;
    if (this.#rest.trim() !== '') throw new NoLiteral();
    return value;
  }

  #blank(): void {
    this.#rest = this.#rest.trimStart();
  }

  #peek(mark: string): boolean {
    this.#blank();
    return this.#rest.startsWith(mark);
  }

  #take(mark: string): boolean {
    if (!this.#peek(mark)) return false;
    this.#rest = this.#rest.slice(mark.length);
    return true;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    this.#blank();
    const match = pattern.exec(this.#rest);
    if (match === null) return undefined;
    this.#rest = this.#rest.slice(match[0].length);
    return match;
  }

  #value(): unknown {
    if (++this.#depth > DEPTH) throw new NoLiteral();
    const value = this.#any();
    this.#depth--;
    return value;
  }

  #any(): unknown {
    if (this.#take('[')) return this.#list(']');
    if (this.#take('(')) return this.#tuple();
    if (this.#take('{')) return this.#dictOrSet();
    if (this.#take('-')) return negative(this.#value());
    if (this.#take('+')) return positive(this.#value());
    const text = this.#match(TEXT);
    if (text !== undefined) return this.#texts(text[1] ?? text[2] ?? '');
    const number = this.#match(NUMBER);
    if (number !== undefined) return this.#number(number[0]);
    const word = this.#match(/^[A-Za-z_]\w*/)?.[0];
    if (word === 'set' && this.#take('(') && this.#take(')')) return new Set();
    if (word === undefined || !WORDS.has(word)) throw new NoLiteral();
    return WORDS.get(word);
  }

  /** Texts beside each other are one. */
  #texts(first: string): string {
    let all = unescaped(first);
    for (let next = this.#match(TEXT); next !== undefined; next = this.#match(TEXT))
      all += unescaped(next[1] ?? next[2] ?? '');
    return all;
  }

  #number(text: string): unknown {
    if (/^\w/.test(this.#rest)) throw new NoLiteral();
    const digits = text.replaceAll('_', '');
    if (/^\d+$/.test(digits)) {
      if (/^0+[1-9]/.test(digits)) throw new NoLiteral();
      const number = Number(digits);
      return Number.isSafeInteger(number) ? number : BigInt(digits);
    }
    return Number(digits);
  }

  /** What follows a comma, up to the end. */
  #items(end: string): unknown[] {
    const items: unknown[] = [];
    while (this.#take(',')) {
      if (end === '' ? this.#rest.trim() === '' : this.#peek(end)) break;
      items.push(this.#value());
    }
    return items;
  }

  #close(end: string): void {
    if (!this.#take(end)) throw new NoLiteral();
  }

  #list(end: string): unknown[] {
    if (this.#take(end)) return [];
    const items = [this.#value(), ...this.#items(end)];
    this.#close(end);
    return items;
  }

  #tuple(): unknown {
    if (this.#take(')')) return [];
    const first = this.#value();
    const isTuple = this.#peek(',');
    const more = this.#items(')');
    this.#close(')');
    return isTuple ? [first, ...more] : first;
  }

  #dictOrSet(): unknown {
    if (this.#take('}')) return {};
    const first = this.#value();
    if (!this.#peek(':')) {
      const set = new Set([first, ...this.#items('}')]);
      this.#close('}');
      return set;
    }
    const entries: [unknown, unknown][] = [];
    for (let key = first; ; key = this.#value()) {
      this.#close(':');
      entries.push([key, this.#value()]);
      if (!this.#take(',') || this.#peek('}')) break;
    }
    this.#close('}');
    return Object.fromEntries(entries.map(([key, value]) => [keyText(key), value]));
  }
}

function keyText(key: unknown): string {
  if (typeof key === 'string') return key;
  if (typeof key === 'number' || typeof key === 'bigint') return String(key);
  throw new NoLiteral();
}

function negative(value: unknown): unknown {
  if (typeof value === 'number' || typeof value === 'bigint') return -value;
  throw new NoLiteral();
}

function positive(value: unknown): unknown {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  throw new NoLiteral();
}

function unescaped(text: string): string {
  return text.replaceAll(
    /\\(?:u([\da-fA-F]{4})|x([\da-fA-F]{2})|([^]))/g,
    (all: string, unicode?: string, hex?: string, letter?: string) => {
      const code = unicode ?? hex;
      if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
      if (letter === '\n') return '';
      if (letter !== undefined && letter in ESCAPES) return ESCAPES[letter]!;
      return letter === '\\' || letter === "'" || letter === '"' ? letter : all;
    },
  );
}
