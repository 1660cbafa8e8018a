/**
 * Groups messages that differ only in their variables, after Drain: mask what is clearly variable, look among the groups of
 * as many tokens and the same first token, and join the most similar one if it is similar enough; what then differs becomes
 * `<*>`.
 */

/** Applied in order. A token that carries a variable keeps its fixed part: `blk_<num>`, `port=<num>`. */
const MASKS: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<id>'],
  [/\b\w+:\/\/[^\s"'<>]+/g, '<url>'],
  [/(?:^|(?<=[\s=/([<"']))(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b/g, '<ip>'],
  [/(?<![\w.])(?:\/[\w.@+-]+){2,}\/?/g, '<path>'],
  [/\b[A-Za-z]:\\[^\s"']+/g, '<path>'],
  [/\b0x[0-9a-f]+\b/gi, '<hex>'],
  [/\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{8,}\b/gi, '<hex>'],
  [/(?<![A-Za-z0-9])[-+]?\d+(?:[.,:_-]\d+)*/g, '<num>'],
];

/** The least share of equal tokens for a message to join a group. */
const SIMILARITY = 0.5;
const WILDCARD = '<*>';

export interface Template {
  readonly template: string;
  readonly count: number;
}

export function maskVariables(message: string): string {
  let masked = message;
  for (const [pattern, name] of MASKS) masked = masked.replaceAll(pattern, name);
  return masked;
}

interface Group {
  readonly tokens: string[];
  count: number;
}

const share = (group: readonly string[], tokens: readonly string[]): number => {
  const equal = tokens.filter((token, index) => group[index] === token).length;
  return tokens.length === 0 ? 1 : equal / tokens.length;
};

/** A group's template may still change while messages are added: ask for it when all are in. */
export class TemplateMiner {
  readonly #groups = new Map<string, Group[]>();

  /** Adds one message; the answer tells its group's template, once every message has been added. */
  add(message: string): () => string {
    const tokens = maskVariables(message)
      .split(/\s+/)
      .filter((token) => token !== '');
    const key = `${tokens.length} ${/[<\d]/.test(tokens[0] ?? '') ? WILDCARD : (tokens[0] ?? '')}`;
    const groups = this.#groups.get(key) ?? [];
    this.#groups.set(key, groups);
    const group = this.#closest(groups, tokens);
    group.count += 1;
    for (const [index, token] of tokens.entries()) if (group.tokens[index] !== token) group.tokens[index] = WILDCARD;
    return () => group.tokens.join(' ');
  }

  #closest(groups: Group[], tokens: readonly string[]): Group {
    let best: Group | undefined;
    let bestShare = SIMILARITY;
    for (const group of groups) {
      const similarity = share(group.tokens, tokens);
      if (similarity < bestShare || (best !== undefined && similarity === bestShare)) continue;
      best = group;
      bestShare = similarity;
    }
    if (best !== undefined) return best;
    const created: Group = { tokens: [...tokens], count: 0 };
    groups.push(created);
    return created;
  }

  /** Most frequent first; equal counts in order of text. */
  templates(): readonly Template[] {
    return [...this.#groups.values()]
      .flat()
      .map((group) => ({ template: group.tokens.join(' '), count: group.count }))
      .sort((a, b) => b.count - a.count || (a.template < b.template ? -1 : 1));
  }
}
