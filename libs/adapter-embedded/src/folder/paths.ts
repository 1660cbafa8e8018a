import { join } from 'node:path';

/** Where everything lies in a data folder. */
export interface DataPaths {
  readonly folder: string;
  readonly events: string;
  readonly snapshots: string;
  readonly reads: string;
  readonly blobs: string;
  readonly bundles: string;
  readonly logs: string;
  readonly keys: string;
  /** Keys of sealed runs. */
  readonly runKeys: string;
  readonly anchors: string;
  /** What was archived and taken away, signed. */
  readonly archives: string;
  readonly format: string;
  readonly lock: string;
  /** What the lock's holder says about itself. */
  readonly holder: string;
}

export function dataPaths(folder: string): DataPaths {
  return {
    folder,
    events: join(folder, 'events.db'),
    snapshots: join(folder, 'snapshots.db'),
    reads: join(folder, 'reads.db'),
    blobs: join(folder, 'blobs'),
    bundles: join(folder, 'bundles'),
    logs: join(folder, 'logs'),
    keys: join(folder, 'keys'),
    runKeys: join(folder, 'run-keys.db'),
    anchors: join(folder, 'anchors.jsonl'),
    archives: join(folder, 'archives.jsonl'),
    format: join(folder, 'format.json'),
    lock: join(folder, 'lock.db'),
    holder: join(folder, 'lock.json'),
  };
}
