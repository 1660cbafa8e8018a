import type { WeightRule } from '../task-instance/index.ts';
import type { TaskGraph } from './graph.ts';

export const DEFAULT_WEIGHT_RULE: WeightRule = 'downstream';

const INT32_MAX = 2_147_483_647;
const INT32_MIN = -2_147_483_648;
/** Tasks that one pass over the edges accounts for: 32 words of 32 bits each. */
const BLOCK = 1_024;
const WORDS = BLOCK / 32;

/**
 * The priority of each task: its own weight (`absolute`), plus the own weights of everything downstream (the default) or
 * upstream of it, each task counted once. Within int32.
 */
export function priorityWeights(graph: TaskGraph): number[] {
  const own = graph.nodes.map((node) => node.priorityWeight ?? 1);
  const wants = (rule: string): boolean =>
    graph.nodes.some((node) => (node.weightRule ?? DEFAULT_WEIGHT_RULE) === rule);
  const down = wants('downstream') ? reachSums(graph, own, 'downstream') : [];
  const up = wants('upstream') ? reachSums(graph, own, 'upstream') : [];
  return graph.nodes.map((node, index) => {
    const rule = node.weightRule ?? DEFAULT_WEIGHT_RULE;
    const reach = rule === 'downstream' ? down[index]! : rule === 'upstream' ? up[index]! : 0;
    return Math.min(INT32_MAX, Math.max(INT32_MIN, own[index]! + reach));
  });
}

/** Sum of the own weights of all that can be reached from each task, itself left out. */
function reachSums(graph: TaskGraph, own: readonly number[], direction: 'upstream' | 'downstream'): number[] {
  const edges = graph[direction];
  const order = direction === 'downstream' ? graph.order.toReversed() : graph.order;
  const sums = own.map(() => 0);
  if (edges.every((targets) => targets.length <= 1)) {
    for (const index of order) {
      const target = edges[index]![0];
      if (target !== undefined) sums[index] = own[target]! + sums[target]!;
    }
    return sums;
  }
  for (let first = 0; first < own.length; first += BLOCK) addBlock(edges, order, own, sums, first);
  return sums;
}

/** Adds what tasks `first` to `first + BLOCK - 1` weigh to all that reach them: bit sets, merged along the edges. */
function addBlock(
  edges: readonly Int32Array[],
  order: Int32Array,
  own: readonly number[],
  sums: number[],
  first: number,
): void {
  const reached = new Int32Array(own.length * WORDS);
  const weights = own.slice(first, first + BLOCK);
  const uniform = weights.every((weight) => weight === weights[0]) ? weights[0]! : undefined;
  for (const index of order) {
    const base = index * WORDS;
    for (const target of edges[index]!) {
      for (let word = 0; word < WORDS; word++) reached[base + word]! |= reached[target * WORDS + word]!;
      const bit = target - first;
      if (bit >= 0 && bit < BLOCK) reached[base + (bit >> 5)]! |= 1 << (bit & 31);
    }
    let sum = 0;
    for (let word = 0; word < WORDS; word++) sum += weigh(reached[base + word]!, weights, word * 32, uniform);
    sums[index]! += sum;
  }
}

function weigh(bits: number, weights: readonly number[], offset: number, uniform: number | undefined): number {
  if (bits === 0) return 0;
  if (uniform !== undefined) return countBits(bits) * uniform;
  let sum = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) sum += weights[offset + 31 - Math.clz32(rest & -rest)]!;
  return sum;
}

function countBits(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
