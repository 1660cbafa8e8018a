import { hash } from 'node:crypto';
import { seededRandom } from '@rondo/testing';

/** Random numbers of one seed. */
export class Dice {
  readonly seed: number;
  private readonly next: () => number;

  constructor(seed: number) {
    this.seed = seed;
    this.next = seededRandom(seed);
  }

  /** Dice of their own for a purpose: what they show does not depend on how often any others were thrown. */
  fork(purpose: string): Dice {
    return new Dice(Number.parseInt(hash('sha256', `${this.seed}:${purpose}`, 'hex').slice(0, 8), 16));
  }

  /** True with the probability `p`. */
  chance(p: number): boolean {
    return this.next() < p;
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** Mostly near `typical`, now and then up to `most`: how long things on a network take. */
  delay(typical: number, most: number): number {
    return this.chance(0.9) ? this.between(1, typical) : this.between(typical, most);
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)]!;
  }

  shuffle<T>(list: readonly T[]): T[] {
    const left = [...list];
    return list.map(() => left.splice(Math.floor(this.next() * left.length), 1)[0]!);
  }

  /** 32 hex digits in the form of a UUID. */
  uuid(): string {
    const part = (): string =>
      Math.floor(this.next() * 0x1_0000_0000)
        .toString(16)
        .padStart(8, '0');
    const hex = part() + part() + part() + part();
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
  }
}
