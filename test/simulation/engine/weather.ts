import type { Dice } from './dice.ts';
import type { Recorder } from './recorder.ts';
import type { VirtualTime } from './virtual-time.ts';

/** What may go wrong with one message, with the probability that it does in the worst weather. */
export const MESSAGE_FAULTS = {
  /** Not written, and the writer hears nothing until it gives up waiting (I11). */
  'append lost': 0.05,
  /** Written, and the writer hears nothing (I11). */
  'append unanswered': 0.06,
  /** The writer hears nothing; written later, whatever it has done meanwhile. */
  'append late': 0.03,
  /** Only the first requests of a chain are written. */
  'append torn': 0.08,
  'append refused': 0.05,
  'read refused': 0.03,
  'subscription dropped': 0.02,
  'publish delayed': 0.05,
  'publish repeated': 0.05,
  'delivery delayed': 0.05,
  'delivery repeated': 0.03,
  'heartbeat delayed': 0.02,
  'commit lost': 0.05,
  'frame delayed': 0.03,
  'channel closed': 0.01,
  'channel half-open': 0.005,
  'command repeated': 0.1,
  'event repeated': 0.2,
} as const;
export type MessageFault = keyof typeof MESSAGE_FAULTS;

/** Faults of one seed: some of them, each as often as the dice say, until it is calm. */
export class Weather {
  /** When the last fault may happen; ms since the start. */
  readonly calmAt: number;
  readonly recorder: Recorder;
  private readonly time: VirtualTime;
  private readonly dice: Dice;
  private readonly rates = new Map<MessageFault, number>();

  /** `calmAt` 0: no fault at all. */
  constructor(time: VirtualTime, dice: Dice, recorder: Recorder, calmAt: number) {
    this.time = time;
    this.dice = dice.fork('faults of messages');
    this.recorder = recorder;
    this.calmAt = calmAt;
    const choice = dice.fork('choice of faults');
    for (const [fault, worst] of Object.entries(MESSAGE_FAULTS) as [MessageFault, number][]) {
      const share = choice.pick([0, 0.3, 0.3, 1, 1, 1]);
      this.rates.set(fault, worst * share);
    }
  }

  get isCalm(): boolean {
    return this.time.now >= this.calmAt;
  }

  strikes(fault: MessageFault, kind: string, who: string): boolean {
    if (this.isCalm || !this.dice.chance(this.rates.get(fault)!)) return false;
    this.recorder.fault(fault, kind, who);
    return true;
  }
}
