/** How a sensor ends, held against a model of its rules that knows nothing of the code. */
import fc from 'fast-check';
import type { WaitAnswer } from '@rondo/domain';
import {
  collectDags,
  Dag,
  executeAttempt,
  FailNow,
  PokeReturn,
  sensor,
  Skip,
  Watch,
  type AttemptHost,
  type AttemptInput,
} from '@rondo/sdk';

type Poke = 'no' | 'yes' | 'value' | 'error' | 'failNow' | 'skip' | 'nonsense';
interface Flags {
  readonly softFail: boolean;
  readonly silentFail: boolean;
  readonly neverFail: boolean;
}
interface End {
  readonly state: 'success' | 'skipped' | 'failed' | 'waits';
  readonly retryable?: boolean;
  readonly value?: number;
  /** How many pokes there were. */
  readonly pokes: number;
}

const flags = fc
  .record({ softFail: fc.boolean(), silentFail: fc.boolean(), neverFail: fc.boolean() })
  .filter(({ softFail, neverFail }) => !(softFail && neverFail));
const script = fc.array(
  fc.constantFrom<Poke>('no', 'no', 'no', 'yes', 'value', 'error', 'error', 'failNow', 'skip', 'nonsense'),
  { maxLength: 12 },
);

/** Airflow's loop, one look after the other. */
function model({ softFail, silentFail, neverFail }: Flags, pokes: readonly Poke[]): End {
  for (const [i, poke] of pokes.entries()) {
    const seen = i + 1;
    if (poke === 'yes') return { state: 'success', pokes: seen };
    if (poke === 'value') return { state: 'success', value: seen, pokes: seen };
    if (poke === 'skip') return { state: 'skipped', pokes: seen };
    if (poke === 'nonsense') return { state: 'failed', retryable: true, pokes: seen };
    if (poke === 'failNow')
      return softFail || neverFail
        ? { state: 'skipped', pokes: seen }
        : { state: 'failed', retryable: false, pokes: seen };
    if (poke === 'error' && !silentFail)
      return neverFail ? { state: 'skipped', pokes: seen } : { state: 'failed', retryable: true, pokes: seen };
  }
  return { state: 'waits', pokes: pokes.length };
}

async function real(given: Flags, pokes: readonly Poke[]): Promise<End> {
  let seen = 0;
  const look = () => {
    const poke = pokes[seen++];
    if (poke === 'yes') return true;
    if (poke === 'value') return new PokeReturn(seen);
    if (poke === 'skip') throw new Skip('enough');
    if (poke === 'failNow') throw new FailNow('never');
    if (poke === 'error') throw new Error('no');
    return poke === 'nonsense' ? (3 as unknown as boolean) : false;
  };
  const { dags } = collectDags({ default: new Dag({ id: 'd' }, () => void sensor('s', look, given)) }, 'd.ts');
  const host: AttemptHost = {
    dag: dags[0]!,
    services: undefined as never,
    signal: new AbortController().signal,
    log: () => undefined,
    env: {},
    root: '/',
  };
  const input: AttemptInput = {
    id: 'a',
    attempt: { dagId: 'd', runId: 'r', taskId: 's', mapIndex: [], tryNumber: 1, leg: 1 },
    bundle: { hash: 'h', file: 'd.ts' },
    run: {
      runType: 'manual',
      logicalDate: 0,
      dataInterval: null,
      runAfter: 0,
      startedAt: 0,
      conf: {},
      triggeredBy: 'x',
    },
    maxTries: 1,
    inputs: {},
    position: 0,
    traceparent: '',
  };
  const { outcome } = await executeAttempt({ ...host, input });
  switch (outcome.kind) {
    case 'success': {
      const returned = outcome.xcoms?.['return_value'];
      return {
        state: 'success',
        pokes: seen,
        ...(returned === undefined ? {} : { value: (returned as { value: number }).value }),
      };
    }
    case 'skipped':
      return { state: 'skipped', pokes: seen };
    case 'failed':
      return { state: 'failed', retryable: outcome.retryable, pokes: seen };
    case 'defer':
      break;
    default:
      throw new Error(`outcome ${outcome.kind}`);
  }
  if (outcome.wait.kind !== 'poll') throw new Error('a sensor waits for its polls');
  const watch = new Watch(host, { id: 'a', assignment: input, wait: outcome.wait, since: 0 });
  while (seen < pokes.length) {
    const answer = await watch.look();
    if (answer !== undefined) return endOf(answer, seen);
  }
  return { state: 'waits', pokes: seen };
}

function endOf(answer: WaitAnswer, pokes: number): End {
  switch (answer.kind) {
    case 'met':
      return {
        state: 'success',
        pokes,
        ...(answer.payload === undefined ? {} : { value: (answer.payload as { value: number }).value }),
      };
    case 'skipped':
      return { state: 'skipped', pokes };
    case 'failed':
      return { state: 'failed', retryable: answer.retryable, pokes };
    case 'timeout':
      throw new Error('a poke does not time out by itself');
  }
}

describe('sensors', () => {
  it('end as the model says, whichever poke decides and wherever it is made', async () => {
    await fc.assert(
      fc.asyncProperty(flags, script, async (given, pokes) => {
        // An attempt always pokes once.
        const all = pokes.length === 0 ? (['no'] as const) : pokes;
        expect(await real(given, all)).toEqual(model(given, all));
      }),
      { numRuns: 300 },
    );
  });
});
