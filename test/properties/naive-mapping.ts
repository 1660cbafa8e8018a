/** What a run with mapped tasks and groups comes to, counted out; it imports nothing of the domain. */

export type Length =
  | { readonly kind: 'literal'; readonly length: number }
  | { readonly kind: 'output'; readonly taskId: string; readonly path: readonly never[] }
  | { readonly kind: 'zip'; readonly of: readonly Length[]; readonly longest?: true }
  | { readonly kind: 'concat'; readonly of: readonly Length[] };

export interface ModelTask {
  readonly id: string;
  readonly group?: string;
  readonly upstream: readonly string[];
  readonly over?: readonly Length[];
  readonly rule: 'all_success' | 'all_done';
}

export interface ModelGroup {
  readonly id: string;
  readonly parent?: string;
  readonly over?: readonly Length[];
}

export interface ModelDag {
  /** Each after what it depends on. */
  readonly tasks: readonly ModelTask[];
  readonly groups: readonly ModelGroup[];
}

export interface Leaf {
  readonly path: readonly number[];
  readonly state: string;
}

interface Level {
  readonly scope: string;
  readonly over: readonly Length[];
}

const nameOf = (id: string, path: readonly number[]): string => (path.length === 0 ? id : `${id}[${path.join('.')}]`);
const isUnder = (path: readonly number[], prefix: readonly number[]): boolean =>
  prefix.every((element, i) => i >= path.length || path[i] === element);

/** Instances that a run of the model may have. */
const MOST = 500;
export class TooMany extends Error {}

/** The end of a run in which everything that runs succeeds; `returns`: how much an instance returns. Throws TooMany. */
export class NaiveRun {
  readonly leaves = new Map<string, Leaf[]>();
  readonly #dag: ModelDag;
  readonly #returns: (name: string) => number;

  constructor(dag: ModelDag, returns: (name: string) => number) {
    this.#dag = dag;
    this.#returns = returns;
    for (const task of dag.tasks) this.leaves.set(task.id, this.#play(task));
  }

  #groupLevels(id: string | undefined): readonly Level[] {
    const group = this.#dag.groups.find((each) => each.id === id);
    if (group === undefined) return [];
    const outer = this.#groupLevels(group.parent);
    return group.over === undefined ? outer : [...outer, { scope: group.id, over: group.over }];
  }

  #levels({ id, group, over }: ModelTask): readonly Level[] {
    const outer = this.#groupLevels(group);
    return over === undefined ? outer : [...outer, { scope: id, over }];
  }

  #play(task: ModelTask): Leaf[] {
    const levels = this.#levels(task);
    let open: (readonly number[])[] = [[]];
    const ended: Leaf[] = [];
    for (const [depth, level] of levels.entries()) {
      const next: (readonly number[])[] = [];
      for (const path of open) {
        const length = this.#product(level, levels.slice(0, depth), path);
        if (length === 0) ended.push({ path, state: 'skipped' });
        if (next.length + length > MOST) throw new TooMany();
        for (let i = 0; i < length; i++) next.push([...path, i]);
      }
      open = next;
    }
    return [...ended, ...open.map((path) => ({ path, state: this.#stateAt(task, levels, path) }))];
  }

  /** 0 also where something that says the length was skipped. */
  #product({ over }: Level, outer: readonly Level[], path: readonly number[]): number {
    return over.reduce((all, each) => all * (this.#length(each, outer, path) ?? 0), 1);
  }

  #length(length: Length, outer: readonly Level[], path: readonly number[]): number | undefined {
    if (length.kind === 'literal') return length.length;
    if (length.kind === 'output') {
      const seen = this.#seen(length.taskId, outer, path);
      if (seen.isOne) {
        const [leaf] = seen.leaves;
        return leaf?.state === 'success' ? this.#returns(nameOf(length.taskId, leaf.path)) : undefined;
      }
      return seen.leaves.filter(({ state }) => state === 'success').length;
    }
    const lengths = length.of.map((each) => this.#length(each, outer, path));
    if (lengths.includes(undefined)) return undefined;
    const known = lengths as number[];
    if (length.kind === 'concat') return known.reduce((sum, each) => sum + each, 0);
    return length.longest === true ? Math.max(...known) : Math.min(...known);
  }

  /** Instances of a task that one at this place depends on. */
  #seen(id: string, levels: readonly Level[], path: readonly number[]) {
    const task = this.#dag.tasks.find((each) => each.id === id)!;
    const own = this.#levels(task);
    let shared = 0;
    while (shared < levels.length && shared < own.length && own[shared]!.scope === levels[shared]!.scope) shared++;
    const prefix = path.slice(0, shared);
    return { isOne: own.length === shared, leaves: this.leaves.get(id)!.filter((leaf) => isUnder(leaf.path, prefix)) };
  }

  #stateAt(task: ModelTask, levels: readonly Level[], path: readonly number[]): string {
    if (task.rule === 'all_done') return 'success';
    const all = task.upstream.flatMap((id) => this.#seen(id, levels, path).leaves);
    return all.some(({ state }) => state === 'skipped') ? 'skipped' : 'success';
  }
}

/** Where all under a path is skipped it does not matter how much there is: one line for it. */
export function collapsed(leaves: readonly Leaf[]): readonly string[] {
  const lines = new Map<string, string>();
  for (const { path, state } of leaves) {
    let prefix = [...path];
    if (state === 'skipped')
      while (
        prefix.length > 0 &&
        leaves.every((each) => each.state === 'skipped' || !isUnder(each.path, prefix.slice(0, -1)))
      )
        prefix = prefix.slice(0, -1);
    lines.set(prefix.join('.'), `${prefix.join('.')} ${state}`);
  }
  return [...lines.values()].sort();
}
