import { memoryEventStore } from '@rondo/testing';
import { bodyFaults, type BodyLine } from './bodies.ts';
import { checkHistory } from './history.ts';

const line = (what: BodyLine['what'], id: string, at: number): BodyLine => ({ what, id, at });

describe('what bodies say', () => {
  it('is in order when each attempt begins after the last sign of the one before', () => {
    const lines = [
      line('begin', 'd:r:t[1]:1.1', 0),
      line('tick', 'd:r:t[1]:1.1', 50),
      line('begin', 'd:r:t[1]:1.2', 51),
    ];
    expect(bodyFaults(lines)).toEqual({ faults: [], again: 0 });
  });

  it('shows an overlap of two attempts, and none of two instances', () => {
    const lines = [
      line('begin', 'd:r:t[1]:1.1', 0),
      line('begin', 'd:r:t[2]:1.1', 1),
      line('begin', 'd:r:t[1]:1.2', 40),
    ];
    expect(bodyFaults([...lines, line('end', 'd:r:t[1]:1.1', 60)]).faults).toMatchObject([{ kind: 'overlap' }]);
  });

  it('shows an attempt that began twice, and counts what ran again after its end', () => {
    const lines = [line('begin', 'd:r:t:1.1', 0), line('end', 'd:r:t:1.1', 5), line('begin', 'd:r:t:1.2', 9)];
    expect(bodyFaults(lines)).toEqual({ faults: [], again: 1 });
    expect(bodyFaults([...lines, line('begin', 'd:r:t:1.2', 12)]).faults).toMatchObject([{ kind: 'twice' }]);
  });
});

describe('the check of a history', () => {
  const event = (type: string, n: number, leg = 1, tryNumber = 1) => ({
    id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    type,
    data: JSON.stringify({ taskId: 't', mapIndex: [], tryNumber, leg, at: n }),
    meta: '{}',
  });
  const faultsOf = async (...events: ReturnType<typeof event>[]): Promise<readonly string[]> => {
    const store = memoryEventStore();
    await store.append([{ stream: 'dagRun-d:r', expected: 'any', events }]);
    return (await checkHistory(store)).faults;
  };

  it('finds nothing in a lost attempt, another leg and a success', async () => {
    expect(await faultsOf(event('TaskStarted', 1), event('TaskLost', 2), event('TaskSucceeded', 3, 2))).toEqual([]);
  });

  it('finds an attempt that is decided twice, and a start after a success', async () => {
    expect(await faultsOf(event('TaskSucceeded', 1), event('TaskFailed', 2))).toEqual([
      'dagRun-d:r t[] 1.1: TaskSucceeded, then TaskFailed',
    ]);
    expect(await faultsOf(event('TaskSucceeded', 1), event('TaskStarted', 2, 2))).toEqual([
      'dagRun-d:r t[] 1.2 started after its success',
    ]);
  });
});
