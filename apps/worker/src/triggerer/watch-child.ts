import type { Readable } from 'node:stream';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  FROM_CHILD,
  FrameReader,
  TO_CHILD,
  type BeatFrame,
  type BindFrame,
  type CallFrame,
  type ExitingFrame,
  type LogFrame,
  type PokingFrame,
  type WaitedFrame,
} from '../child/frames.ts';
import { Masker } from '../child/masker.ts';
import type { LogBacklog } from '../pool/attempt-log.ts';
import { LineSplitter } from '../pool/line-splitter.ts';
import type { Launched, Launcher } from '../pool/launcher.ts';
import type { ChildEnd } from '../pool/outcomes.ts';
import { endBearers, signalGroup } from '../pool/processes.ts';

export interface WatchChildEvents {
  onBeat(frame: BeatFrame): void;
  onPoking(frame: PokingFrame): void;
  onWaited(frame: WaitedFrame): void;
  onLog(frame: LogFrame): void;
  onCall(frame: CallFrame): void;
  /** Something that no wait has printed. */
  onOutput(text: string): void;
  /** The process has ended, its output is read, its group is killed. */
  onEnd(end: ChildEnd): void;
}

/** Thousands of waits are small, and what a poke makes is soon garbage: room for more of it is memory for nothing. */
const YOUNG_MIB = 2;

/** How long the streams of a child that has ended may stay open. */
const CLOSE_MS = 500;

/** The process that looks after the waits of one bundle. */
export class WatchChild {
  readonly masker = new Masker();
  readonly #launched: Launched;
  readonly #events: WatchChildEvents;
  readonly #pipe: Socket;
  #exiting: ExitingFrame | undefined;
  #binding: BindFrame | undefined;
  #isEnded = false;

  constructor(
    launcher: Launcher,
    events: WatchChildEvents,
    backlog: LogBacklog,
    secrets: readonly string[],
    heapMiB: number,
  ) {
    this.#events = events;
    this.#launched = launcher.launch({ heapMiB, youngMiB: YOUNG_MIB });
    this.masker.add(secrets);
    const { process: child } = this.#launched;
    this.#pipe = child.stdio[3] as Readable as Socket;
    const reader = new FrameReader((frame) => this.#onFrame(frame));
    this.#pipe.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      backlog.hold(this.#pipe);
    });
    this.#pipe.on('error', () => undefined);
    for (const stream of [child.stdout!, child.stderr!]) {
      const lines = new LineSplitter({ onLine: (text) => events.onOutput(text), onMark: () => undefined });
      stream.on('data', (chunk: Buffer) => lines.push(chunk));
      stream.on('error', () => undefined);
    }
    child.once('error', (error) => {
      if (child.pid === undefined)
        this.#finish({ code: null, signal: null, exiting: { code: undefined, where: error.message } });
    });
    child.once('exit', (code, signal) => void this.#onExit(code, signal));
  }

  /** 0: it could not be started. */
  get pid(): number {
    return this.#launched.process.pid ?? 0;
  }

  /** Once it is ready: only then may it read its bundle. */
  bind(frame: BindFrame): void {
    this.#binding = frame;
  }

  send(kind: string, json: string): void {
    if (this.#pipe.writable) this.#pipe.write(`${kind}${json}\n`);
  }

  kill(): void {
    if (!this.#isEnded && this.pid !== 0) signalGroup(this.pid, 'SIGKILL');
  }

  #onFrame(frame: string): void {
    if (frame[0] === FROM_CHILD.ready) return this.#onReady();
    const body: unknown = JSON.parse(frame.slice(1));
    switch (frame[0]) {
      case FROM_CHILD.beat:
        return this.#events.onBeat(body as BeatFrame);
      case FROM_CHILD.poking:
        return this.#events.onPoking(body as PokingFrame);
      case FROM_CHILD.waited:
        return this.#events.onWaited(body as WaitedFrame);
      case FROM_CHILD.log:
        return this.#events.onLog(body as LogFrame);
      case FROM_CHILD.call:
        return this.#events.onCall(body as CallFrame);
      case FROM_CHILD.exiting:
        this.#exiting = body as ExitingFrame;
        return;
      default:
        // User code has written to the descriptor: nothing that it says can be trusted now.
        return this.kill();
    }
  }

  #onReady(): void {
    this.#launched.ready();
    if (this.#binding !== undefined) this.send(TO_CHILD.bind, JSON.stringify(this.#binding));
  }

  async #onExit(code: number | null, signal: NodeJS.Signals | null): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#launched.process.once('close', () => resolve()));
    signalGroup(this.pid, 'SIGKILL');
    endBearers(this.#launched.mark);
    await Promise.race([closed, sleep(CLOSE_MS)]);
    this.#finish({ code, signal, exiting: this.#exiting });
  }

  #finish(end: ChildEnd): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#pipe.destroy();
    this.#launched.ended();
    this.#events.onEnd(end);
  }
}
