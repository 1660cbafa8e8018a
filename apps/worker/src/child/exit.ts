import type { Channel } from './channel.ts';
import { FROM_CHILD, type ExitingFrame } from './frames.ts';

const exit = process.exit.bind(process);

/** Ends this process at once, as its own decision. */
export function leave(code: number): never {
  return exit(code);
}

/** The worker is gone: nothing that this child or its tasks started may outlive it (I16). */
export function leaveWithGroup(): void {
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    exit(1);
  }
}

/** User code that calls `process.exit()` is told on: the worker learns where, and in a child of waits, `whose` it was. */
export function watchExit(channel: Channel, whose: () => string | undefined): void {
  process.exit = (code) => {
    const { stack } = new Error('exit');
    const where = placeOf(stack);
    const id = whose();
    const frame: ExitingFrame = {
      code,
      ...(where === undefined ? {} : { where }),
      ...(id === undefined ? {} : { id }),
    };
    channel.send(FROM_CHILD.exiting, JSON.stringify(frame));
    return exit(code);
  };
}

/** `file:line:column` of the caller, from a stack whose first frame is in this file. */
function placeOf(stack: string | undefined): string | undefined {
  const line = stack
    ?.split('\n')
    .find((text, index) => index > 1 && /\((?:file:\/\/)?\/|at (?:async )?(?:file:\/\/)?\//.test(text));
  return /(?:file:\/\/)?(\/[^()]*:\d+:\d+)\)?$/.exec(line ?? '')?.[1];
}
