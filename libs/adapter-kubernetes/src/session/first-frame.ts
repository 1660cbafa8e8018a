import type { AgentFrame, WorkerChannel } from '@rondo/ports';

type Events = Parameters<WorkerChannel['listen']>[0];

/** Looks at the first frame of a session; who gets the session then hears all of it, that frame too. One that closes first is dropped. */
export function firstFrame(channel: WorkerChannel, onFirst: (frame: AgentFrame, same: WorkerChannel) => void): void {
  const held: AgentFrame[] = [];
  let closed: string | undefined;
  let events: Events | undefined;
  let isSeen = false;
  const replay = (): void => {
    for (let next = held.shift(); next !== undefined; next = held.shift()) events!.onFrame(next);
    if (closed === undefined) return;
    const reason = closed;
    closed = undefined;
    events!.onClose(reason);
  };
  const same: WorkerChannel = {
    peer: channel.peer,
    send: (frame) => channel.send(frame),
    close: (reason) => channel.close(reason),
    listen: (given) => {
      events = given;
      queueMicrotask(replay);
    },
  };
  channel.listen({
    onFrame: (frame) => {
      held.push(frame);
      if (events !== undefined) return replay();
      if (isSeen) return;
      isSeen = true;
      onFirst(frame, same);
    },
    onClose: (reason) => {
      closed = reason;
      if (events !== undefined) replay();
    },
  });
}
