import { subscribe } from 'node:diagnostics_channel';
import { resolve, sep } from 'node:path';

interface Denial {
  readonly permission: string;
  readonly resource: string;
}

const VERBS: Readonly<Record<string, string>> = { FileSystemRead: 'reading', FileSystemWrite: 'writing' };

/** Remembers what Node's permissions refused, to say it clearly: Node's own text names neither the file nor the reason. */
export class Denials {
  readonly #dataFolder: string;
  readonly #open: string;
  #last: Denial | undefined;

  /** `open`: the folder in it that is user code's own. */
  constructor(dataFolder: string, open: string) {
    this.#dataFolder = dataFolder;
    this.#open = open;
    subscribe('node:permission-model:fs', (message) => {
      this.#last = message as Denial;
    });
  }

  forget(): void {
    this.#last = undefined;
  }

  isForbidden(path: string): boolean {
    const absolute = resolve(path);
    return isWithin(absolute, this.#dataFolder) && !isWithin(absolute, this.#open);
  }

  /** The text of an error, made clear when it is a refusal by permission. */
  explain(message: string): string {
    const last = this.#last;
    if (last === undefined || !message.startsWith('Access to this API has been restricted')) return message;
    const what = `${VERBS[last.permission] ?? last.permission} '${resolve(last.resource)}' is not allowed`;
    return this.isForbidden(last.resource)
      ? `${what}: it is in the data folder of the platform (${this.#dataFolder}), which is closed to DAG files and tasks`
      : `${what}: the folder holds the data folder of the platform (${this.#dataFolder}), and only what is beside that is open to DAG files and tasks`;
  }
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}
