import { createHash } from 'node:crypto';
import type { VirtualTime } from './virtual-time.ts';

/** What happened, line by line: a hash of all lines, the lines themselves when asked for, and how often each fault hit what. */
export class Recorder {
  readonly violations: string[] = [];
  /** By fault, and by the kind of message that it hit. */
  readonly hits = new Map<string, Map<string, number>>();
  readonly lines: string[] = [];
  private readonly time: VirtualTime;
  private readonly keepsLines: boolean;
  private readonly hash = createHash('sha256');

  constructor(time: VirtualTime, keepsLines: boolean) {
    this.time = time;
    this.keepsLines = keepsLines;
  }

  note(who: string, what: string): void {
    const line = `${String(Math.floor(this.time.now)).padStart(8)} ${who.padEnd(12)} ${what}`;
    this.hash.update(line);
    if (this.keepsLines) this.lines.push(line);
  }

  fault(fault: string, kind: string, who: string, detail = ''): void {
    const kinds = this.hits.get(fault) ?? new Map<string, number>();
    this.hits.set(fault, kinds.set(kind, (kinds.get(kind) ?? 0) + 1));
    this.note(who, `FAULT ${fault}: ${kind} ${detail}`);
  }

  violation(rule: string, what: string): void {
    const text = `${rule}: ${what}`;
    this.note('CHECK', `VIOLATION ${text}`);
    if (!this.violations.includes(text)) this.violations.push(text);
  }

  digest(): string {
    return this.hash.copy().digest('hex');
  }
}
