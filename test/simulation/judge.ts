import { simulate, type SimulationOptions, type SimulationResult } from './simulation.ts';
import type { EndState } from './checks/end.ts';

export interface Verdict {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly hits: readonly (readonly [fault: string, kind: string, times: number])[];
  readonly figures: SimulationResult['figures'];
  readonly digest: string;
  readonly trace: readonly string[];
}

/** Runs a seed, and where what comes out does not depend on any order, once more without faults: it must come to the same. */
export async function judge(options: Omit<SimulationOptions, 'withFaults'>): Promise<Verdict> {
  const result = await simulate({ ...options, withFaults: true });
  const violations = [...result.violations];
  if (result.isConfluent && violations.length === 0) {
    const calm = await simulate({ ...options, keepsTrace: false, withFaults: false });
    for (const violation of calm.violations) violations.push(`without faults: ${violation}`);
    violations.push(...differences(calm.endState, result.endState));
  }
  const hits = [...result.hits].flatMap(([fault, kinds]) =>
    Array.from(kinds, ([kind, times]) => [fault, kind, times] as const),
  );
  const { seed, figures, digest, trace } = result;
  return { seed, violations, hits, figures, digest, trace };
}

function differences(calm: EndState, disturbed: EndState): string[] {
  return [...new Set([...Object.keys(calm), ...Object.keys(disturbed)])]
    .filter((name) => calm[name] !== disturbed[name])
    .map((name) => `end state: ${name} is ${disturbed[name]}, and without faults ${calm[name]}`);
}
