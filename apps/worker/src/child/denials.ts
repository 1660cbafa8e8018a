import { subscribe } from 'node:diagnostics_channel';
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import type { TaskError } from '@rondo/domain';

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

  /** Why a file must not be opened; undefined: it may. */
  refusal(path: string, verb = 'opening'): string | undefined {
    const absolute = resolve(path);
    if (this.#isClosed(absolute))
      return `${verb} '${absolute}' is not allowed: it is in the data folder of the platform (${this.#dataFolder}), which is closed to DAG files and tasks`;
    const real = realPathOf(absolute);
    return real === undefined || this.#isClosed(real) ? this.#noWay(absolute, verb) : undefined;
  }

  /** The text of an error, made clear when it is a refusal by permission. */
  explain(message: string): string {
    const last = this.#last;
    if (last === undefined || !message.startsWith('Access to this API has been restricted')) return message;
    const verb = VERBS[last.permission] ?? last.permission;
    return this.refusal(last.resource, verb) ?? this.#noWay(resolve(last.resource), verb);
  }

  /** The same error, its message and stack made clear. */
  explained(error: TaskError): TaskError {
    const { message, stack } = error;
    const text = this.explain(message);
    if (text === message) return error;
    return { ...error, message: text, ...(stack === undefined ? {} : { stack: stack.replace(message, text) }) };
  }

  #isClosed(path: string): boolean {
    return isWithin(path, this.#dataFolder) && !isWithin(path, this.#open);
  }

  #noWay(path: string, verb: string): string {
    return `${verb} '${path}' is not allowed: the way there may lead through the data folder of the platform (${this.#dataFolder}), and only what is beside that is open to DAG files and tasks`;
  }
}

/** Where a path leads, also one whose last part does not exist yet; undefined: that is not for user code to know. */
function realPathOf(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_ACCESS_DENIED') return undefined;
    // The folders above the data folder are no secret, and no links that anybody could have made meanwhile.
    return join(realPathOf(dirname(path)) ?? dirname(path), basename(path));
  }
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}
