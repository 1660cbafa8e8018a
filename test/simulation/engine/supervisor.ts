import type { Process, Start } from '../nodes.ts';
import type { Dice } from './dice.ts';
import { Machine } from './machine.ts';
import type { Recorder } from './recorder.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Keeps one process of an installation running: starts it, and again when it has died. */
export class Supervisor {
  readonly name: string;
  process: Process | undefined;
  machine: Machine | undefined;
  private readonly time: VirtualTime;
  private readonly dice: Dice;
  private readonly recorder: Recorder;
  readonly launch: Start;
  private boots = 0;
  private cancelStart: () => void = () => undefined;

  constructor(name: string, time: VirtualTime, dice: Dice, recorder: Recorder, launch: Start) {
    this.name = name;
    this.time = time;
    this.dice = dice.fork(`supervisor of ${name}`);
    this.recorder = recorder;
    this.launch = launch;
  }

  start(): void {
    const machine = new Machine(
      `${this.name}.${++this.boots}`,
      this.time,
      this.dice.fork(`boot ${this.boots}`),
      this.dice.between(-100, 100),
    );
    this.machine = machine;
    this.recorder.note(machine.name, 'starts');
    this.launch(machine).then(
      (process) => {
        if (!machine.isDead) this.process = process;
      },
      (error: unknown) => {
        if (machine.isDead) return;
        this.recorder.note(machine.name, `did not start: ${String(error)}`);
        this.crash(this.dice.between(500, 3_000));
      },
    );
  }

  /** `downMs`: until another process is there. */
  crash(downMs: number): void {
    this.machine?.kill();
    this.process = undefined;
    this.cancelStart();
    this.cancelStart = this.time.after(downMs, () => this.start());
  }

  stop(ms: number): void {
    const { machine } = this;
    if (machine?.state !== 'running') return;
    machine.stop();
    this.time.after(ms, () => machine.wake());
  }
}
