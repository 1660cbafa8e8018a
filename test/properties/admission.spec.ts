import { Admission, type Demand } from '@rondo/domain';
import { array, assert, constantFrom, integer, oneof, property, record, type Arbitrary } from 'fast-check';
import { effort, seed } from './effort.ts';

/** An order as the model knows it: it imports nothing from the domain. */
interface ModelOrder {
  readonly id: string;
  readonly pool: string;
  readonly poolSlots: number;
  readonly queue: string;
  readonly priority: number;
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

  fits(order: ModelOrder): boolean {
    const size = this.sizes.get(order.pool);
    if (size === undefined || !this.served.has(order.queue)) return false;
    return size === -1 || this.occupied(order.pool) + order.poolSlots <= size;
  }

  /** Of those that fit the first of the highest priority. */
  next(): ModelOrder | undefined {
    const fitting = this.waiting.filter((order) => this.fits(order));
    const highest = Math.max(...fitting.map((order) => order.priority));
    return fitting.find((order) => order.priority === highest);
  }
}

type Step =
  | { readonly kind: 'order'; readonly of: Omit<ModelOrder, 'id'> }
  | { readonly kind: 'admit' | 'end' | 'cancel'; readonly n: number }
  | { readonly kind: 'resize'; readonly pool: string; readonly slots: number }
  | { readonly kind: 'delete'; readonly pool: string }
  | { readonly kind: 'serve'; readonly queues: readonly string[] };

const pool = constantFrom('a', 'b', 'c');
const queue = constantFrom('q0', 'q1');
const steps: Arbitrary<Step> = oneof(
  { weight: 6, arbitrary: integer({ min: 1, max: 9 }).map((n): Step => ({ kind: 'admit', n })) },
  {
    weight: 8,
    arbitrary: record({
      kind: constantFrom('order' as const),
      of: record({
        pool,
        queue,
        poolSlots: integer({ min: 1, max: 4 }),
        priority: integer({ min: -2, max: 2 }),
      }),
    }),
  },
  {
    weight: 6,
    arbitrary: record({ kind: constantFrom('end' as const, 'cancel' as const), n: integer({ min: 0, max: 99 }) }),
  },
  {
    weight: 2,
    arbitrary: record({ kind: constantFrom('resize' as const), pool, slots: integer({ min: -1, max: 8 }) }),
  },
  { weight: 1, arbitrary: record({ kind: constantFrom('delete' as const), pool }) },
  { weight: 1, arbitrary: array(queue, { maxLength: 2 }).map((queues): Step => ({ kind: 'serve', queues })) },
);

/** Both take the step; what the admission gives has to be what the model gives, and within every limit. */
class Pair {
  readonly model = new Model();
  readonly real = new Admission<Demand & { readonly id: string }>([], this.service());
  private count = 0;

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
        real.push(order.id, order);
        return;
      }
      case 'admit':
        for (let i = 0; i < step.n; i++) this.admit();
        return;
      case 'end': {
        const [ended] = model.admitted.splice(step.n % Math.max(model.admitted.length, 1), 1);
        if (ended !== undefined) real.release(ended);
        return;
      }
      case 'cancel': {
        const [dropped] = model.waiting.splice(step.n % Math.max(model.waiting.length, 1), 1);
        if (dropped !== undefined) expect(real.remove(dropped.id)).toBe(true);
        return;
      }
      case 'resize':
        model.sizes.set(step.pool, step.slots);
        real.setPool(step.pool, { name: step.pool, slots: step.slots, includeDeferred: false });
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
        queued: model.waiting.filter((o) => o.pool === name).reduce((sum, o) => sum + o.poolSlots, 0),
      });
    for (const order of model.waiting) expect(real.waitOf(order.id)?.kind === 'slot').toBe(model.fits(order));
  }
}

it(`admits what a model that looks at everything admits (RONDO_SEED=${seed})`, () => {
  assert(
    property(array(steps, { maxLength: 80 }), (script) => {
      const pair = new Pair();
      for (const step of script) {
        pair.take(step);
        pair.check();
      }
      for (let i = 0; i <= script.length; i++) pair.admit();
    }),
    { numRuns: 300 * effort, seed, interruptAfterTimeLimit: 20_000 },
  );
});
