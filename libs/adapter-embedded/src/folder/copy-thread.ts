import { closeSync, fsyncSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../faults.ts';

export interface CopyRequest {
  readonly from: string;
  readonly to: string;
}

export type CopyAnswer =
  | { readonly ok: true; readonly head: number }
  | { readonly ok: false; readonly message: string };

/** Copies the events as one state of the database, while others write to it. */
function copy({ from, to }: CopyRequest): CopyAnswer {
  const db = new DatabaseSync(from, { timeout: 10_000 });
  try {
    db.prepare('vacuum into ?').run(to);
    db.exec(`attach database '${to.replaceAll("'", "''")}' as copy`);
    const head = Number(db.prepare('select max(position) as head from copy.events').get()?.['head'] ?? 0);
    db.exec('detach database copy');
    const fd = openSync(to, 'r+');
    fsyncSync(fd);
    closeSync(fd);
    return { ok: true, head };
  } catch (error) {
    return { ok: false, message: messageOf(error) };
  } finally {
    db.close();
  }
}

parentPort?.postMessage(copy(workerData as CopyRequest));
