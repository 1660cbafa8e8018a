import type { Verdict } from './judge.ts';

const SHOWN = 20;

/** What came out of many seeds. */
export class Tally {
  failed = 0;
  private readonly mutant: string | undefined;
  private readonly hits = new Map<string, Map<string, number>>();
  private readonly began = performance.now();
  private seeds = 0;
  private events = 0;
  private bodies = 0;
  private virtualMs = 0;

  constructor(mutant?: string) {
    this.mutant = mutant;
  }

  /** Says what is wrong with it at once. True: something is. */
  add({ seed, violations, hits, figures }: Verdict): boolean {
    this.seeds++;
    this.events += figures.events;
    this.bodies += figures.bodies;
    this.virtualMs += figures.virtualMs;
    for (const [fault, kind, times] of hits) {
      const kinds = this.hits.get(fault) ?? new Map<string, number>();
      this.hits.set(fault, kinds.set(kind, (kinds.get(kind) ?? 0) + times));
    }
    if (violations.length === 0) return false;
    if (++this.failed <= SHOWN) {
      const again = `npm run simulate -- --seed ${seed}${this.mutant === undefined ? '' : ` --mutant ${this.mutant}`} --trace`;
      console.log(`seed ${seed}: ${violations.length} violations; again: ${again}`);
      for (const violation of violations.slice(0, 4)) console.log(`  ${violation}`);
    }
    return true;
  }

  print(): void {
    const faults = [...this.hits].toSorted(([a], [b]) => (a < b ? -1 : 1));
    console.log('\nHow often each fault hit each kind of message:');
    for (const [fault, kinds] of faults) {
      const sorted = [...kinds].toSorted(([, a], [, b]) => b - a);
      console.log(`  ${fault.padEnd(24)} ${sorted.map(([kind, times]) => `${kind} ${times}`).join(', ')}`);
    }
    const seconds = (performance.now() - this.began) / 1_000;
    const hours = this.virtualMs / 3_600_000;
    console.log(
      `\n${this.seeds} seeds in ${seconds.toFixed(1)} s: ${this.events} events, ${this.bodies} bodies, ${hours.toFixed(1)} hours of virtual time.`,
    );
    console.log(this.failed === 0 ? 'No violation.' : `${this.failed} seeds with violations.`);
  }
}
