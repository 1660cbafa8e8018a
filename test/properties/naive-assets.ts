/**
 * What a DAG makes of the events of assets, told once more with lists that are looked through from the start each time. It
 * imports nothing from the domain.
 */
export type NaiveCondition =
  | { readonly kind: 'asset'; readonly name: string }
  | { readonly kind: 'alias'; readonly name: string }
  | { readonly kind: 'all' | 'any'; readonly of: readonly NaiveCondition[] };

export interface NaiveEvent {
  readonly name: string;
  readonly revision: number;
  readonly partitionKey?: string;
}

interface Waiting {
  readonly event: NaiveEvent;
  readonly key: string;
}

export class NaiveAssets {
  paused = false;
  open = 0;
  condition: NaiveCondition;
  readonly partitioned: boolean;
  readonly runs: { readonly key: string; readonly events: readonly string[] }[] = [];
  /** Asset → the first revision that is not accounted for; only assets that are listened to. */
  readonly next = new Map<string, number>();
  private readonly aliases = new Map<string, string[]>();
  private readonly maxRuns: number;
  private waiting: Waiting[] = [];

  constructor(condition: NaiveCondition, maxRuns: number, partitioned: boolean) {
    this.condition = condition;
    this.maxRuns = maxRuns;
    this.partitioned = partitioned;
  }

  /** Everything that has been said of the assets so far, in the order in which it was said. */
  hear(said: readonly NaiveEvent[]): void {
    for (const event of said) {
      if (event.revision < (this.next.get(event.name) ?? Infinity)) continue;
      this.next.set(event.name, event.revision + 1);
      const key = event.partitionKey?.slice(0, 10) ?? '';
      if (!this.paused && (key !== '') === this.partitioned) this.waiting.push({ event, key });
    }
  }

  publish(condition: NaiveCondition, lengthOf: (name: string) => number): void {
    this.condition = condition;
    const names = namesIn(condition, this.aliases);
    for (const name of names) if (!this.next.has(name)) this.next.set(name, lengthOf(name));
    for (const name of [...this.next.keys()]) if (!names.includes(name)) this.next.delete(name);
    this.waiting = this.waiting.filter(({ event }) => names.includes(event.name));
  }

  /** The alias has come to stand for the asset: from that revision on its events count. */
  resolve(alias: string, name: string, from: number): void {
    this.aliases.set(alias, [...(this.aliases.get(alias) ?? []), name]);
    if (namesIn(this.condition, this.aliases).includes(name) && !this.next.has(name)) this.next.set(name, from);
  }

  delete(names: readonly string[]): void {
    this.waiting = this.waiting.filter(({ event }) => !names.includes(event.name));
  }

  close(): void {
    this.open--;
  }

  /** The runs that are due. */
  settle(): void {
    for (const key of new Set(this.waiting.map((each) => each.key))) {
      if (this.paused || (!this.partitioned && this.open >= this.maxRuns)) return;
      const here = this.waiting.filter((each) => each.key === key);
      const names = here.map(({ event }) => event.name);
      if (!holds(this.condition, names, this.aliases)) continue;
      this.waiting = this.waiting.filter((each) => each.key !== key);
      this.runs.push({ key, events: here.map(({ event }) => `${event.name}@${event.revision}`).toSorted() });
      this.open++;
    }
  }

  get left(): readonly string[] {
    return this.waiting.map(({ event, key }) => `${key}/${event.name}@${event.revision}`).toSorted();
  }
}

function holds(
  condition: NaiveCondition,
  names: readonly string[],
  aliases: ReadonlyMap<string, readonly string[]>,
): boolean {
  if (condition.kind === 'asset') return names.includes(condition.name);
  if (condition.kind === 'alias') return (aliases.get(condition.name) ?? []).some((name) => names.includes(name));
  const parts = condition.of.map((part) => holds(part, names, aliases));
  return condition.kind === 'all' ? !parts.includes(false) : parts.includes(true);
}

function namesIn(condition: NaiveCondition, aliases: ReadonlyMap<string, readonly string[]>): readonly string[] {
  if (condition.kind === 'asset') return [condition.name];
  if (condition.kind === 'alias') return aliases.get(condition.name) ?? [];
  return condition.of.flatMap((part) => namesIn(part, aliases));
}
