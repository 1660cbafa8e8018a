import type { ProgressTask } from './model.ts';

export interface OutlineRow {
  readonly task: ProgressTask;
  /** The lines of the tree to the left of the task, for example `│  ├─ `. */
  readonly prefix: string;
}

interface Node {
  readonly id: string;
  readonly depth: number;
  readonly parent: Node | undefined;
  readonly children: Node[];
}

/**
 * Lays a graph out as a tree: a task hangs below the nearest task that every path to it passes (its immediate dominator),
 * so that a fan-out is indented below its origin and the task that joins it is not. A chain stays at one level.
 */
export function outline(tasks: readonly ProgressTask[]): readonly OutlineRow[] {
  const byId = new Map<string, ProgressTask[]>();
  for (const task of tasks) push(byId, task.taskId, task);
  const root: Node = { id: '', depth: 0, parent: undefined, children: [] };
  const nodes = new Map<string, Node>();
  for (const id of topologicalOrder(byId)) {
    const parents = upstreamOf(byId, id).flatMap((up) => nodes.get(up) ?? []);
    const parent =
      parents.reduce<Node | undefined>((a, b) => (a === undefined ? b : commonAncestor(a, b)), undefined) ?? root;
    const node: Node = { id, depth: parent.depth + 1, parent, children: [] };
    parent.children.push(node);
    nodes.set(id, node);
  }
  return [...rowsOf(root, byId)];
}

function push<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

const upstreamOf = (byId: ReadonlyMap<string, readonly ProgressTask[]>, id: string): readonly string[] =>
  (byId.get(id)?.[0]?.upstream ?? []).filter((up) => byId.has(up));

/** Upstream first; otherwise in the order given. */
function topologicalOrder(byId: ReadonlyMap<string, readonly ProgressTask[]>): readonly string[] {
  const missing = new Map([...byId.keys()].map((id) => [id, upstreamOf(byId, id).length]));
  const downstream = new Map<string, string[]>();
  for (const id of byId.keys()) for (const up of upstreamOf(byId, id)) push(downstream, up, id);
  const order = [...byId.keys()].filter((id) => missing.get(id) === 0);
  for (const id of order) {
    for (const down of downstream.get(id) ?? []) {
      const left = (missing.get(down) ?? 0) - 1;
      missing.set(down, left);
      if (left === 0) order.push(down);
    }
  }
  return order;
}

function commonAncestor(a: Node, b: Node): Node {
  let [left, right] = [a, b];
  while (left !== right) {
    if (left.depth >= right.depth) left = left.parent ?? right;
    else right = right.parent ?? left;
  }
  return left;
}

/** Tasks of one level: the children, each followed by the chain that goes on from it alone. */
function level(parent: Node): readonly { readonly node: Node; readonly branches: boolean }[] {
  return parent.children.flatMap((child) => {
    const chain: { node: Node; branches: boolean }[] = [];
    for (
      let node: Node | undefined = child;
      node !== undefined;
      node = node.children.length === 1 ? node.children[0] : undefined
    ) {
      chain.push({ node, branches: node.children.length > 1 });
    }
    return chain;
  });
}

function* rowsOf(parent: Node, byId: ReadonlyMap<string, readonly ProgressTask[]>, indent = ''): Generator<OutlineRow> {
  const entries = level(parent);
  for (const [at, { node, branches }] of entries.entries()) {
    const instances = byId.get(node.id) ?? [];
    for (const [index, task] of instances.entries()) {
      const last = at === entries.length - 1 && index === instances.length - 1;
      yield { task, prefix: `${indent}${last ? '└─ ' : '├─ '}` };
    }
    if (branches) yield* rowsOf(node, byId, `${indent}${at === entries.length - 1 ? '   ' : '│  '}`);
  }
}
