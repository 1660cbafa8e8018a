import { Admission, type AdmissionStand, type Demand } from '@rondo/domain';
import { array, assert, boolean, constantFrom, integer, oneof, property, record, type Arbitrary } from 'fast-check';
import { effort, seed } from './effort.ts';

/** An order as the model knows it: it imports nothing from the domain. */
interface ModelOrder {
  readonly id: string;
  readonly pool: string;
  readonly poolSlots: number;
  readonly queue: string;
  readonly dagPriority: number;
  readonly priority: number;
  readonly logicalDate: number | null;
  readonly mapIndex: readonly number[];
  /** Names of limits. */
  readonly under: readonly string[];
}

/** Larger is better, element by element. */
function rankOf({ dagPriority, priority, logicalDate, mapIndex }: ModelOrder): readonly number[] {
  return [dagPriority, priority, -(logicalDate ?? Infinity), -(mapIndex[0] ?? -1)];
}

function isBetter(a: ModelOrder, b: ModelOrder): boolean {
  const [x, y] = [rankOf(a), rankOf(b)];
  const at = x.findIndex((n, i) => n !== y[i]);
  return at >= 0 && x[at]! > y[at]!;
}

/** Two lists and a table, looked through from the start each time. */
class Model {
  readonly sizes = new Map<string, number>();
  readonly served = new Set(['q0']);
  waiting: ModelOrder[] = [];
  admitted: ModelOrder[] = [];

  occupied(pool: string): number {
    return this.admitted.filter((o) => o.pool === pool).reduce((sum, o) => sum + o.poolSlots, 0);
  }

  /** How many admitted orders each limit allows, and how many slots of a pool are held by what is deferred. */
  readonly limits = new Map<string, number>();
  readonly deferring = new Set<string>();
  deferred: ModelOrder[] = [];

  heldByDeferred(pool: string): number {
    return this.deferred.filter((o) => o.pool === pool).reduce((sum, o) => sum + o.poolSlots, 0);
  }

  active(limit: string): number {
    return this.admitted.filter((o) => o.under.includes(limit)).length;
  }

  fits(order: ModelOrder): boolean {
    const size = this.sizes.get(order.pool);
    if (size === undefined || !this.served.has(order.queue)) return false;
    if (order.under.some((limit) => this.active(limit) >= this.limits.get(limit)!)) return false;
    const held = this.occupied(order.pool) + (this.deferring.has(order.pool) ? this.heldByDeferred(order.pool) : 0);
    return size === -1 || held + order.poolSlots <= size;
  }

  /** Of those that fit the first of the best. */
  next(): ModelOrder | undefined {
    const fitting = this.waiting.filter((order) => this.fits(order));
    return fitting.reduce<ModelOrder | undefined>(
      (best, order) => (best === undefined || isBetter(order, best) ? order : best),
      undefined,
    );
  }
}

type Step =
  | { readonly kind: 'order'; readonly of: Omit<ModelOrder, 'id'> }
  | { readonly kind: 'admit' | 'end' | 'cancel' | 'defer' | 'resume'; readonly n: number }
  | { readonly kind: 'resize'; readonly pool: string; readonly slots: number; readonly includeDeferred: boolean }
  | { readonly kind: 'limit'; readonly limit: string; readonly most: number }
  | { readonly kind: 'delete'; readonly pool: string }
  | { readonly kind: 'serve'; readonly queues: readonly string[] };

/** The limits that orders of two runs of a DAG are under, one task of which has a limit of its own. */
const UNDER = [[], ['run1'], ['run1', 'dag'], ['run2', 'dag'], ['run1', 'dag', 'task'], ['run2', 'dag', 'task']];

const pool = constantFrom('a', 'a', 'a', 'b', 'b', 'c');
const queue = constantFrom('q0', 'q0', 'q0', 'q1');
const steps: Arbitrary<Step> = oneof(
  { weight: 6, arbitrary: integer({ min: 1, max: 5 }).map((n): Step => ({ kind: 'admit', n })) },
  {
    weight: 14,
    arbitrary: record({
      kind: constantFrom('order' as const),
      of: record({
        pool,
        queue,
        poolSlots: constantFrom(1, 1, 1, 1, 2, 4),
        dagPriority: constantFrom(0, 0, 0, 1),
        priority: integer({ min: -2, max: 2 }),
        logicalDate: constantFrom(null, 1, 2),
        mapIndex: array(integer({ min: 0, max: 3 }), { maxLength: 1 }),
        under: constantFrom<readonly string[]>(...UNDER),
      }),
    }),
  },
  {
    weight: 6,
    arbitrary: record({ kind: constantFrom('end' as const, 'cancel' as const), n: integer({ min: 0, max: 99 }) }),
  },
  {
    weight: 3,
    arbitrary: record({ kind: constantFrom('defer' as const, 'resume' as const), n: integer({ min: 0, max: 99 }) }),
  },
  {
    weight: 1,
    arbitrary: record({
      kind: constantFrom('limit' as const),
      limit: constantFrom('run1', 'run2', 'dag', 'task'),
      most: integer({ min: 0, max: 5 }),
    }),
  },
  {
    weight: 2,
    arbitrary: record({
      kind: constantFrom('resize' as const),
      pool,
      slots: integer({ min: -1, max: 8 }),
      includeDeferred: boolean(),
    }),
  },
  { weight: 1, arbitrary: record({ kind: constantFrom('delete' as const), pool }) },
  { weight: 1, arbitrary: array(queue, { maxLength: 2 }).map((queues): Step => ({ kind: 'serve', queues })) },
);

const BLANK: Omit<ModelOrder, 'id'> = {
  pool: 'a',
  poolSlots: 1,
  queue: 'q0',
  dagPriority: 0,
  priority: 0,
  logicalDate: null,
  mapIndex: [],
  under: [],
};

/** Both take the step; what the admission gives has to be what the model gives, and within every limit. */
class Pair {
  readonly model = new Model();
  readonly real = new Admission<Demand & { readonly id: string }>([], this.service());
  private count = 0;

  constructor() {
    for (const limit of ['run1', 'run2', 'dag', 'task']) this.model.limits.set(limit, 2);
    for (const [name, slots] of [
      ['a', 3],
      ['b', 6],
      ['c', -1],
    ] as const)
      this.take({ kind: 'resize', pool: name, slots, includeDeferred: false });
  }

  /** The order as the admission is given it: with the limits as they are now. */
  private demandOf(order: ModelOrder): Demand & { readonly id: string } {
    const limits = order.under.map((key) => ({ scope: 'run' as const, key, most: this.model.limits.get(key)! }));
    return limits.length === 0 ? order : { ...order, limits };
  }

  private service() {
    const queues = new Set(this.model.served);
    return { queue: (name: string) => queues.has(name), executor: () => true };
  }

  take(step: Step): void {
    const { model, real } = this;
    switch (step.kind) {
      case 'order': {
        const order = { ...step.of, id: `o${this.count++}` };
        model.waiting.push(order);
        real.push(order.id, this.demandOf(order));
        return;
      }
      case 'admit':
        for (let i = 0; i < step.n; i++) this.admit();
        return;
      case 'end': {
        const [ended] = model.admitted.splice(step.n % Math.max(model.admitted.length, 1), 1);
        if (ended !== undefined) real.release(this.demandOf(ended));
        return;
      }
      case 'defer': {
        const [deferred] = model.admitted.splice(step.n % Math.max(model.admitted.length, 1), 1);
        if (deferred === undefined) return;
        real.release(this.demandOf(deferred), true);
        model.deferred.push(deferred);
        return;
      }
      case 'resume': {
        const [resumed] = model.deferred.splice(step.n % Math.max(model.deferred.length, 1), 1);
        if (resumed !== undefined) real.defer(resumed.pool, -resumed.poolSlots);
        return;
      }
      case 'limit': {
        // A limit is what an order says of it: the next one brings the change.
        model.limits.set(step.limit, step.most);
        const order = { ...BLANK, under: [step.limit], id: `o${this.count++}` };
        model.waiting.push(order);
        real.push(order.id, this.demandOf(order));
        return;
      }
      case 'cancel': {
        const [dropped] = model.waiting.splice(step.n % Math.max(model.waiting.length, 1), 1);
        if (dropped !== undefined) expect(real.remove(dropped.id)).toBe(true);
        return;
      }
      case 'resize':
        model.sizes.set(step.pool, step.slots);
        if (step.includeDeferred) model.deferring.add(step.pool);
        else model.deferring.delete(step.pool);
        real.setPool(step.pool, { name: step.pool, slots: step.slots, includeDeferred: step.includeDeferred });
        return;
      case 'delete':
        model.sizes.delete(step.pool);
        real.setPool(step.pool, undefined);
        return;
      case 'serve':
        model.served.clear();
        step.queues.forEach((name) => model.served.add(name));
        real.setService(this.service());
        return;
    }
  }

  /** No limit is exceeded, nothing that fits is left, and the order is that of the priorities: the model's. */
  admit(): void {
    const { model, real } = this;
    const wanted = model.next();
    expect(real.admit()?.id).toBe(wanted?.id);
    if (wanted === undefined) return;
    model.waiting = model.waiting.filter((order) => order !== wanted);
    model.admitted.push(wanted);
  }

  check(): void {
    const { model, real } = this;
    expect(real.size).toBe(model.waiting.length);
    for (const name of ['a', 'b', 'c'])
      expect(real.load(name)).toEqual({
        occupied: model.occupied(name),
        deferred: model.heldByDeferred(name),
        queued: model.waiting.filter((o) => o.pool === name).reduce((sum, o) => sum + o.poolSlots, 0),
      });
    for (const order of model.waiting) expect(isFree(real.standOf(this.demandOf(order)))).toBe(model.fits(order));
  }
}

function isFree({ order, pool: found, held, isServed, limits }: AdmissionStand): boolean {
  const isFull = found === undefined || (found.slots >= 0 && held + order.poolSlots > found.slots);
  return isServed && !isFull && limits.every(({ limit, active }) => active < limit.most);
}

it(`admits what a model that looks at everything admits (RONDO_SEED=${seed})`, () => {
  assert(
    property(array(steps, { maxLength: 80, size: 'max' }), (script) => {
      const pair = new Pair();
      for (const step of script) {
        pair.take(step);
        pair.check();
      }
      for (let i = 0; i <= script.length; i++) pair.admit();
    }),
    { numRuns: 200 * effort, seed, interruptAfterTimeLimit: 20_000 },
  );
});
