import { Refusal } from './objects.ts';

export interface Fault {
  readonly method?: string;
  /** Of the path with its query. */
  readonly path?: RegExp;
  /** HTTP status of the answer; `reset`: the connection breaks before one; `lost`: it breaks after the work is done. */
  readonly as: number | 'reset' | 'lost';
  readonly retryAfter?: number;
  /** How often. Default 1. */
  times?: number;
}

/** Faults that a test has ordered, each for the next requests that it fits. */
export class Faults {
  readonly #faults: Fault[] = [];

  order(fault: Fault): void {
    this.#faults.push({ ...fault });
  }

  clear(): void {
    this.#faults.length = 0;
  }

  take(method: string, path: string): Fault['as'] | undefined {
    const at = this.#faults.findIndex(
      (fault) => (fault.method ?? method) === method && (fault.path?.test(path) ?? true),
    );
    const fault = this.#faults[at];
    if (fault === undefined) return undefined;
    fault.times = (fault.times ?? 1) - 1;
    if (fault.times <= 0) this.#faults.splice(at, 1);
    if (typeof fault.as === 'string') return fault.as;
    const headers = fault.retryAfter === undefined ? undefined : { 'Retry-After': String(fault.retryAfter) };
    throw new Refusal(fault.as, REASONS[fault.as] ?? 'InternalError', `ordered: ${fault.as}`, undefined, headers);
  }
}

const REASONS: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  409: 'Conflict',
  410: 'Expired',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};
