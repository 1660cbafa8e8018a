import type { TaskGraph } from './graph.ts';

export interface GraphProblem {
  readonly taskId: string;
  readonly message: string;
}

/** Trigger rules that the place of a task does not allow, each with what is allowed. Empty: all is well. */
export function validateGraph(graph: TaskGraph, options: { readonly failFast?: boolean } = {}): GraphProblem[] {
  const problems: GraphProblem[] = [];
  for (const [index, node] of graph.nodes.entries()) {
    const rule = node.triggerRule ?? 'all_success';
    const say = (message: string): number => problems.push({ taskId: node.taskId, message });
    const setup = Array.from(graph.upstream[index]!).find((source) => graph.nodes[source]!.setup === true);
    if (setup !== undefined && node.teardown !== true && rule !== 'all_success')
      say(
        `task '${node.taskId}' comes directly after the setup '${graph.nodes[setup]!.taskId}': its trigger rule is '${rule}', allowed is 'all_success'`,
      );
    if (options.failFast === true && rule !== 'all_success' && rule !== 'all_done_setup_success')
      say(`task '${node.taskId}' is in a DAG that fails fast: its trigger rule is '${rule}', allowed is 'all_success'`);
    if (node.setup === true && node.teardown === true)
      say(`task '${node.taskId}' is setup and teardown: a task is one of them at most`);
  }
  return problems;
}
