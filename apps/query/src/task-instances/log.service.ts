import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { UNMAPPED, type AttemptRef } from '@rondo/domain';
import type { LogLine, LogStore, ReadModels } from '@rondo/ports';
import type { LiveAnswer } from '../http/live.ts';
import { serverEvent } from '../http/live.ts';
import { notFound, refuseErased } from '../http/problem.ts';
import { LOGS, READ_MODELS } from '../options.ts';
import { labelOf, type InstanceName } from './tasks.service.ts';

export interface LogPage {
  readonly lines: readonly LogLine[];
  readonly next: number;
}

/** How often a followed log asks whether its try has ended. */
const LOOK_MS = 300;
const RUNNING: ReadonlySet<string> = new Set([
  'none',
  'scheduled',
  'queued',
  'running',
  'restarting',
  'deferred',
  'up_for_reschedule',
]);

@Injectable()
export class LogService {
  constructor(
    @Inject(LOGS) private readonly logs: LogStore,
    @Inject(READ_MODELS) private readonly readModels: ReadModels,
  ) {}

  /** 0 when it was never tried. */
  async latestTry(name: InstanceName): Promise<number> {
    return (await this.need(name)).tryNumber;
  }

  async read(name: InstanceName, tryNumber: number, from: number, limit: number): Promise<LogPage> {
    const run = await this.readModels.run(name.dagId, name.runId);
    if (run !== undefined) refuseErased(run, 'its logs are');
    if (tryNumber === 0) return { lines: [], next: 0 };
    const { lines, next } = await this.logs.read(attemptOf(name, tryNumber), from, limit);
    return { lines: lines.map(shown), next };
  }

  /** Sends lines as they come until the try has ended, or the client is gone. Waits for the first try when there is none. */
  async follow(
    name: InstanceName,
    wanted: number | undefined,
    from: number,
    answer: LiveAnswer,
    asLines: boolean,
  ): Promise<void> {
    try {
      const tryNumber = wanted ?? (await this.firstTry(name, answer.closed));
      if (tryNumber !== 0) await this.followTry(name, tryNumber, from, answer, asLines);
      if (!asLines) await answer.send(serverEvent('end', {}));
    } finally {
      answer.end();
    }
  }

  private async firstTry(name: InstanceName, closed: AbortSignal): Promise<number> {
    for (;;) {
      const { tryNumber, state } = await this.need(name);
      if (tryNumber > 0 || !RUNNING.has(state) || closed.aborted) return tryNumber;
      await delay(LOOK_MS);
    }
  }

  private async followTry(
    name: InstanceName,
    tryNumber: number,
    from: number,
    answer: LiveAnswer,
    asLines: boolean,
  ): Promise<void> {
    const attempt = attemptOf(name, tryNumber);
    let next = from;
    let turn = Promise.resolve();
    const send = ({ lines, next: upTo }: LogPage): void => {
      // What is at hand may be told twice: by the follower, and by the last look.
      const fresh = lines.slice(Math.max(0, lines.length - (upTo - next))).map(shown);
      if (fresh.length === 0) return;
      next = upTo;
      const text = asLines
        ? fresh.map((line) => `${JSON.stringify(line)}\n`).join('')
        : serverEvent('lines', { lines: fresh, next: upTo }, upTo);
      turn = turn.then(() => answer.send(text));
    };
    const follower = this.logs.follow(attempt, from, (lines, upTo) => send({ lines, next: upTo }));
    try {
      while (!answer.closed.aborted && !(await this.hasEnded(name, tryNumber))) await delay(LOOK_MS);
      for (
        let page = await this.logs.read(attempt, next);
        page.lines.length > 0;
        page = await this.logs.read(attempt, next)
      )
        send(page);
      await turn;
    } finally {
      follower.stop();
    }
  }

  private async hasEnded(name: InstanceName, tryNumber: number): Promise<boolean> {
    const row = await this.need(name);
    return row.tryNumber !== tryNumber || !RUNNING.has(row.state);
  }

  private async need(name: InstanceName) {
    const row = await this.readModels.taskInstance(name.dagId, name.runId, name.taskId, name.mapIndex);
    if (row === undefined) throw notFound(`there is no ${labelOf(name)}`);
    return row;
  }
}

const shown = ({ mark: _mark, ...line }: LogLine): LogLine => line;

/** All legs of a try are one log. */
function attemptOf({ dagId, runId, taskId, mapIndex }: InstanceName, tryNumber: number): AttemptRef {
  const path = mapIndex === '' ? UNMAPPED : mapIndex.split('.').map(Number);
  return { dagId, runId, taskId, mapIndex: path, tryNumber, leg: 1 };
}
