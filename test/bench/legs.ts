import { round } from './host.ts';

/** One event of a run: its type, and when what it says was so, in epoch milliseconds. */
export interface RunMoment {
  readonly type: string;
  readonly at: number;
}

/** Where the time of one run at a time goes: milliseconds on the average of all runs and their steps. */
export interface Legs {
  /** From the command to the decision that starts the run: the bus. */
  readonly commandToDecision: number;
  /** From a decision to its attempt's hand-over by the gateway: the append, and the bus. */
  readonly decisionToGateway: number;
  readonly gatewayToStart: number;
  readonly body: number;
  /** From the end of an attempt to the decision about what follows: worker, gateway and the bus. */
  readonly endToDecision: number;
  /** From the last decision to when its event is heard of: the append, and the subscription. */
  readonly decisionToEnd: number;
}

const NEXT: Readonly<Record<string, keyof Legs>> = {
  TaskScheduled: 'decisionToGateway',
  TaskQueued: 'gatewayToStart',
  TaskStarted: 'body',
  TaskSucceeded: 'endToDecision',
};

/** Of runs whose steps come one after the other. `began` and `ended`: the command, and when the end was heard of. */
export function legsOf(
  runs: readonly { readonly began: number; readonly ended: number; readonly moments: readonly RunMoment[] }[],
): Legs {
  const sums = new Map<keyof Legs, { total: number; count: number }>();
  const add = (leg: keyof Legs, ms: number): void => {
    const sum = sums.get(leg) ?? { total: 0, count: 0 };
    sums.set(leg, { total: sum.total + ms, count: sum.count + 1 });
  };
  for (const { began, ended, moments } of runs) {
    add('commandToDecision', moments[0]!.at - began);
    add('decisionToEnd', ended - moments.at(-1)!.at);
    for (const [i, { type, at }] of moments.entries()) {
      const leg = NEXT[type];
      if (leg !== undefined) add(leg, moments[i + 1]!.at - at);
    }
  }
  const mean = (leg: keyof Legs): number => {
    const { total, count } = sums.get(leg) ?? { total: Number.NaN, count: 1 };
    return round(total / count);
  };
  return {
    commandToDecision: mean('commandToDecision'),
    decisionToGateway: mean('decisionToGateway'),
    gatewayToStart: mean('gatewayToStart'),
    body: mean('body'),
    endToDecision: mean('endToDecision'),
    decisionToEnd: mean('decisionToEnd'),
  };
}
