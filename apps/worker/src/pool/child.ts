import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Readable, Writable } from 'node:stream';
import type { Socket } from 'node:net';
import type { BundleRef } from '@rondo/domain';
import {
  FROM_CHILD,
  FrameReader,
  TO_CHILD,
  type AnswerFrame,
  type CallFrame,
  type ExitingFrame,
  type LogFrame,
} from '../child/frames.ts';
import { Masker } from '../child/masker.ts';
import type { LogBacklog } from './attempt-log.ts';
import { Capture } from './capture.ts';
import type { Launched, Launcher } from './launcher.ts';
import type { ChildEnd } from './outcomes.ts';
import { endBearers, groupLives, signalGroup } from './processes.ts';
import type { Running } from './running.ts';
import { bundleKey } from './work.ts';

/** How long the streams of a child that has ended may stay open: something outside its group may hold them. */
const CLOSE_MS = 500;
const GROUP_POLL_MS = 50;

export interface ChildEvents {
  onReady(child: Child): void;
  /** `flags`: see `FROM_CHILD.finished`. */
  onFinished(child: Child, running: Running, flags: string, report: string): void;
  /** After an attempt that left something open: it is gone now, or (with what is left) it is not. */
  onSettled(child: Child, left: readonly string[] | undefined): void;
  onLog(child: Child, running: Running, line: LogFrame): void;
  onOutput(
    child: Child,
    running: Running | undefined,
    stream: 'stdout' | 'stderr',
    text: string,
    cutBytes: number,
  ): void;
  onCall(child: Child, running: Running, call: CallFrame): void;
  /** The process has ended, its output is read, its group is killed. */
  onEnd(child: Child, end: ChildEnd): void;
}

export type ChildState = 'starting' | 'idle' | 'busy' | 'settling' | 'ending' | 'ended';

/** One child process as the pool sees it. */
export class Child {
  readonly masker = new Masker();
  readonly startedAt: number;
  state: ChildState = 'starting';
  current: Running | undefined;
  /** I16: set once. */
  bundle: BundleRef | undefined;
  key: string | undefined;
  served = 0;
  lastUsed = 0;
  /** It has written something after an attempt's end. */
  isNoisy = false;
  /** Since when it has run one attempt after the other. */
  busySince = 0;
  lastSampled = 0;
  settleBy = Infinity;
  /** What it has run last. */
  last: Running | undefined;
  wasReady = false;
  readonly #launched: Launched;
  readonly #process: ChildProcess;
  readonly #events: ChildEvents;
  readonly #pipe: Socket;
  readonly #captures: readonly Capture[];
  #exiting: ExitingFrame | undefined;

  constructor(launcher: Launcher, events: ChildEvents, backlog: LogBacklog, secrets: readonly string[], now: number) {
    this.startedAt = now;
    this.#events = events;
    this.#launched = launcher.launch();
    this.#process = this.#launched.process;
    this.masker.add(secrets);
    this.#pipe = this.#process.stdio[3] as Readable & Writable as Socket;
    const reader = new FrameReader((frame) => this.#onFrame(frame));
    this.#pipe.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      backlog.hold(this.#pipe);
    });
    this.#pipe.on('error', () => undefined);
    this.#captures = (['stdout', 'stderr'] as const).map(
      (name) =>
        new Capture(this.#process[name]!, backlog, (running, text, cutBytes) =>
          events.onOutput(this, running, name, text, cutBytes),
        ),
    );
    this.#process.once('error', (error) => this.#onSpawnError(error));
    this.#process.once('exit', (code, signal) => this.#onExit(code, signal));
  }

  /** Stands in the environment of all that it starts. */
  get mark(): string {
    return this.#launched.mark;
  }

  /** 0: it could not be started. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  bind(bundle: BundleRef, root: string): void {
    this.bundle = bundle;
    this.key = bundleKey(bundle);
    this.#pipe.write(`${TO_CHILD.bind}${JSON.stringify({ root, file: bundle.file })}\n`);
  }

  hand(running: Running): void {
    this.state = 'busy';
    this.current = running;
    this.served++;
    for (const capture of this.#captures) capture.begin(running);
    this.#pipe.write(`${running.work.kind === 'attempt' ? TO_CHILD.attempt : TO_CHILD.callback}${running.work.json}\n`);
  }

  send(kind: string, frame: unknown): void {
    if (this.#pipe.writable) this.#pipe.write(`${kind}${JSON.stringify(frame)}\n`);
  }

  answer(frame: AnswerFrame): void {
    this.send(TO_CHILD.answer, frame);
  }

  /** Ends the process and its group. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (this.state === 'ended') return;
    this.state = 'ending';
    if (this.pid !== 0) signalGroup(this.pid, signal);
  }

  #onFrame(frame: string): void {
    switch (frame[0]) {
      case FROM_CHILD.finished:
        return this.#onFinished(frame);
      case FROM_CHILD.log:
        if (this.current !== undefined) this.#events.onLog(this, this.current, JSON.parse(frame.slice(1)) as LogFrame);
        return;
      case FROM_CHILD.call:
        if (this.current !== undefined)
          this.#events.onCall(this, this.current, JSON.parse(frame.slice(1)) as CallFrame);
        return;
      case FROM_CHILD.ready:
        this.wasReady = true;
        this.#launched.ready();
        if (this.state !== 'starting') return;
        this.state = 'idle';
        return this.#events.onReady(this);
      case FROM_CHILD.quiet:
        return this.#events.onSettled(this, undefined);
      case FROM_CHILD.left:
        return this.#events.onSettled(this, JSON.parse(frame.slice(1)) as string[]);
      case FROM_CHILD.exiting:
        this.#exiting = JSON.parse(frame.slice(1)) as ExitingFrame;
        return;
      default:
        // User code has written to the descriptor: nothing that it says can be trusted now.
        return this.kill('SIGKILL');
    }
  }

  #onFinished(frame: string): void {
    const running = this.current;
    if (running === undefined) return;
    this.current = undefined;
    const isMarked = frame[2] === 'm';
    for (const capture of this.#captures) capture.end(running, isMarked);
    this.#events.onFinished(this, running, frame.slice(1, 3), frame.slice(3));
  }

  #onSpawnError(error: Error): void {
    if (this.#process.pid !== undefined || this.state === 'ended') return;
    this.#finish({ code: null, signal: null, exiting: { code: undefined, where: error.message } });
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    const closed = new Promise<void>((resolve) => this.#process.once('close', () => resolve()));
    const finish = async (): Promise<void> => {
      // An attempt that is being ended has given its processes until the grace is over.
      const ending = this.current?.ending;
      while (ending?.stage === 'terminated' && performance.now() < ending.nextAt && groupLives(this.pid))
        await sleep(GROUP_POLL_MS);
      this.#killRest();
      await Promise.race([closed, sleep(CLOSE_MS)]);
      this.#finish({ code, signal, exiting: this.#exiting });
    };
    void finish();
  }

  #killRest(): void {
    signalGroup(this.pid, 'SIGKILL');
    if (this.served > 0) endBearers(this.#launched.mark);
  }

  #finish(end: ChildEnd): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    for (const capture of this.#captures) capture.close();
    this.#pipe.destroy();
    this.#launched.ended();
    this.#events.onEnd(this, end);
  }
}
