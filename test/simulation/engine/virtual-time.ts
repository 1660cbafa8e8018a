interface Timer {
  readonly time: number;
  readonly seq: number;
  callback: (() => void) | undefined;
}

const START = Date.UTC(2026, 0, 1);

/**
 * The only time there is in a simulation: milliseconds that pass when everything has come to rest. One timer fires at a time,
 * and what it sets in motion (promises included) is done before the next one.
 */
export class VirtualTime {
  /** Since the start. */
  now = 0;
  fired = 0;
  private readonly heap: Timer[] = [];
  private seq = 0;
  private failure: { readonly error: unknown } | undefined;

  /** What a wall clock that is right shows: epoch milliseconds. */
  get wall(): number {
    return START + this.now;
  }

  /** Calls back once, `ms` from now; the answer cancels it. Timers of one time fire in the order in which they were set. */
  after(ms: number, callback: () => void): () => void {
    const timer: Timer = { time: this.now + Math.max(0, Math.ceil(ms)), seq: this.seq++, callback };
    this.push(timer);
    return () => {
      timer.callback = undefined;
    };
  }

  /** Ends `run` with the error. */
  fail(error: unknown): void {
    this.failure ??= { error };
  }

  /** Lets time pass until `isDone`, which is asked between any two timers; false: it was not by then. Default: for ever. */
  run(isDone: () => boolean, until = Infinity): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const step = (): void => {
        try {
          if (this.failure !== undefined) return reject(this.failure.error);
          if (isDone()) return resolve(true);
          const timer = this.next();
          if (timer === undefined || timer.time > until) return resolve(false);
          this.pop();
          this.now = timer.time;
          this.fired++;
          timer.callback!();
          // A turn of the real event loop: every promise that this settles has been followed to its end by then.
          setImmediate(step);
        } catch (error) {
          reject(error);
        }
      };
      setImmediate(step);
    });
  }

  private next(): Timer | undefined {
    while (this.heap[0] !== undefined && this.heap[0].callback === undefined) this.pop();
    return this.heap[0];
  }

  private push(timer: Timer): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent]!, timer)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

const isBefore = (a: Timer, b: Timer): boolean => a.time < b.time || (a.time === b.time && a.seq < b.seq);
