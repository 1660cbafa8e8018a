import { compileGraph, DEFAULT_WEIGHT_RULE, priorityWeights, type GraphNode, type WeightRule } from '@rondo/domain';
import { byPart, fields, Inexpressible, number, type Case, type Fields, type Finding } from '../case.ts';
import { readDag } from '../dag.ts';

export function weightRule({ input, expected }: Case): Finding {
  if (input['shape'] !== undefined) return stages(input, expected);
  if (input['dag'] !== undefined) {
    const { graph } = readDag(input['dag']);
    const weights = priorityWeights(graph);
    const byId = (): unknown => Object.fromEntries(graph.nodes.map((node, index) => [node.taskId, weights[index]]));
    return byPart(expected, { effective_weights: byId, effective_weight: byId, weights: byId });
  }
  return byPart(expected, { weight_rule: () => fields(input['task'], 'task')['weight_rule'] ?? DEFAULT_WEIGHT_RULE });
}

/** Stages of equal width, each task after all of the stage before it. */
function stages(input: Fields, expected: unknown): Finding {
  const shape = fields(input['shape'], 'shape');
  const [depth, width] = [number(shape['stages'], 0), number(shape['width'], 0)];
  const rule = input['weight_rule'];
  const nodes: GraphNode[] = [];
  for (let stage = 0; stage < depth; stage++)
    for (let lane = 0; lane < width; lane++)
      nodes.push({
        taskId: `${stage}.${lane}`,
        upstream: stage === 0 ? [] : Array.from({ length: width }, (_, i) => `${stage - 1}.${i}`),
        priorityWeight: number(input['priority_weight_each'], 1),
        ...(typeof rule === 'string' ? { weightRule: rule as WeightRule } : {}),
      });
  const compiled = compileGraph(nodes);
  if (!compiled.ok) throw new Inexpressible(compiled.error.message);
  const weights = priorityWeights(compiled.value);
  const byStage = Array.from(
    { length: depth },
    (_, stage) => new Set(weights.slice(stage * width, (stage + 1) * width)),
  );
  return byPart(expected, {
    effective_weight_by_stage: () => byStage.map((set) => (set.size === 1 ? [...set][0] : [...set])),
  });
}
