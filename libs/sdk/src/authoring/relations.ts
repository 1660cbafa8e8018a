import { currentScope } from './scope.ts';
import { DagError, show } from './error.ts';
import { callSite, type CallSite } from './call-site.ts';
import type { Dag } from './dag.ts';

/** Anything that an arrow may begin or end at. A text is the id of a task or a group of the same DAG, now or later. */
export type Linkable = Node | Declared | Chain | string | readonly Linkable[];

export const NODE: unique symbol = Symbol.for('rondo.node');

/** A task or a group. */
export interface Node {
  readonly [NODE]: true;
  readonly dag: Dag;
}

export const DECLARED: unique symbol = Symbol.for('rondo.declared');

/** A function task that is declared and stands for its one call. */
export interface Declared {
  readonly [DECLARED]: () => Node;
}

/** An arrow between two nodes or ids, kept until the DAG is complete: groups get their edges then. */
export interface Relation {
  readonly from: Node | string;
  readonly to: Node | string;
  readonly at: CallSite | undefined;
}

/** What an arrow gives back: the end that it points to, from where the next arrow goes on. */
export class Chain {
  readonly nodes: readonly (Node | string)[];

  constructor(nodes: readonly (Node | string)[]) {
    this.nodes = nodes;
  }

  to(...next: Linkable[]): Chain {
    return arrow(this.nodes, next, 'to');
  }

  from(...previous: Linkable[]): Chain {
    return arrow(this.nodes, previous, 'from');
  }
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && NODE in value;
}

function isDeclared(value: unknown): value is Declared {
  return typeof value === 'function' && DECLARED in value;
}

/** Flattens lists; refuses what an arrow cannot point to. */
function nodesOf(input: Linkable): (Node | string)[] {
  if (Array.isArray(input)) return (input as readonly Linkable[]).flatMap(nodesOf);
  if (typeof input === 'string' || isNode(input)) return [input];
  if (isDeclared(input)) return [input[DECLARED]()];
  if (input instanceof Chain) return [...input.nodes];
  throw new DagError(`an arrow points to ${show(input)}; allowed: a task, a group, their id, or a list of them`, {
    at: callSite(),
    dagId: currentScope()?.dag.dagId,
  });
}

/** The one node that an attribute names. */
export function oneNode(input: Linkable, attribute: string): Node | string {
  const nodes = nodesOf(input);
  if (nodes.length === 1) return nodes[0]!;
  throw new DagError(`${attribute} is ${nodes.length} tasks or groups; allowed: one, or its id`, {
    at: callSite(),
    dagId: currentScope()?.dag.dagId,
  });
}

/** Connects every one of the first with every one of the second; gives back the second. */
export function arrow(first: Linkable, second: Linkable, direction: 'to' | 'from'): Chain {
  const [near, far] = [nodesOf(first), nodesOf(second)];
  const dag = dagOf([...near, ...far]);
  const at = callSite();
  for (const a of near)
    for (const b of far) dag.relate(direction === 'to' ? { from: a, to: b, at } : { from: b, to: a, at });
  return new Chain(far);
}

function dagOf(nodes: readonly (Node | string)[]): Dag {
  const dags = new Set(nodes.flatMap((node) => (typeof node === 'string' ? [] : [node.dag])));
  const [dag = currentScope()?.dag, other] = dags;
  const details = { at: callSite(), dagId: dag?.dagId };
  if (other !== undefined)
    throw new DagError(`an arrow leads to DAG '${other.dagId}'; allowed: tasks of one DAG`, details);
  if (dag === undefined)
    throw new DagError(
      'an arrow is not in a DAG; allowed: inside of new Dag({ … }, () => { … }), or between tasks of a DAG',
      details,
    );
  return dag;
}

/** `chain(a, [b, c], [d, e], f)`: each after the one before; of two lists next to each other, pairwise. */
export function chain(...steps: Linkable[]): void {
  for (const [i, next] of steps.entries()) {
    const previous = steps[i - 1];
    if (previous === undefined) continue;
    if (!Array.isArray(previous) || !Array.isArray(next)) {
      arrow(previous, next, 'to');
      continue;
    }
    const [left, right] = [previous as readonly Linkable[], next as readonly Linkable[]];
    if (left.length !== right.length)
      throw new DagError(
        `chain() has lists of ${left.length} and ${right.length} next to each other; allowed: lists of the same length`,
        { at: callSite(), dagId: currentScope()?.dag.dagId },
      );
    left.forEach((each, j) => arrow(each, right[j]!, 'to'));
  }
}

/** Every one of the first before every one of the second. */
export function crossDownstream(first: readonly Linkable[], second: readonly Linkable[]): void {
  arrow(first, second, 'to');
}
