import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runDag, statesOf } from './run-dag.ts';

let tmp: string;
beforeEach(async () => {
  tmp = await mkdtemp(join(tmpdir(), 'rondo-examples-'));
});
afterEach(() => rm(tmp, { recursive: true, force: true }));

describe('examples', () => {
  it('linear_etl hands rows from step to step', async () => {
    const tested = await runDag('linear_etl', tmp);
    expect(statesOf(tested)).toEqual({ extract: 'success', transform: 'success', load: 'success' });
    expect(tested.log).toContain('1 of 4 readings dropped');
    expect(tested.log).toContain('harbour: 12.0 degrees');
  });

  it('parallel collects what shell commands print', async () => {
    const tested = await runDag('parallel', tmp);
    expect(tested.code).toBe(0);
    expect(tested.log).toMatch(/alpha of manual__\S+/);
    expect(tested.returned.delta).toMatch(/^delta of manual__/);
  });

  it.each([
    [0, 'nothing_to_do'],
    [42, 'small_batch'],
    [500, 'large_batch'],
  ])('conditional_branch with %i orders takes %s', async (orders, taken) => {
    const tested = await runDag('conditional_branch', tmp, { args: ['--conf', JSON.stringify({ orders })] });
    const ways = { nothing_to_do: 'skipped', small_batch: 'skipped', large_batch: 'skipped', [taken]: 'success' };
    expect(statesOf(tested)).toEqual({ count_orders: 'success', decide: 'success', ...ways, finish: 'success' });
  });

  it('dynamic_tasks has a task for each city', async () => {
    const tested = await runDag('dynamic_tasks', tmp);
    expect(Object.keys(statesOf(tested))).toHaveLength(8);
    expect(tested.returned).toMatchObject({ 'north.sum': 9, 'south.sum': 12 });
    expect(tested.log).toContain('all regions: 21');
  });

  it('mapped_regions has instances for each region, and for each of its readings', async () => {
    const tested = await runDag('mapped_regions', tmp);
    expect(tested.code).toBe(0);
    expect(tested.returned).toMatchObject({
      archive: ['north.csv', 'south.csv', 'west.csv'],
      'per_region.check': [12.5, 11, 19, 21.5],
      'per_region.mean': [
        { region: 'north', mean: 11.75 },
        { region: 'south', mean: 20.25 },
        { region: 'west', mean: null },
      ],
      report: 3,
    });
    expect(tested.log).toContain('skipped: the station is broken');
    const other = await runDag('mapped_regions', tmp, {
      args: ['--conf', JSON.stringify({ regions: ['east', 'south'] })],
    });
    expect(other.log).toContain('no stations in east');
    expect(other.returned).toMatchObject({ archive: ['south.csv'], report: 2 });
  });

  it('measure_rivers updates what flood_watch waits for', async () => {
    const measured = await runDag('measure_rivers', tmp);
    expect(statesOf(measured)).toEqual({ measure: 'success' });
    const watched = await runDag('flood_watch', tmp);
    expect(statesOf(watched)).toEqual({ warn: 'success' });
    expect(watched.log).toContain('no high water');
  });

  it('wait_for_file finds what is delivered, and skips what is not', async () => {
    const tested = await runDag('wait_for_file', tmp);
    expect(statesOf(tested)).toEqual({
      empty_inbox: 'success',
      deliver: 'success',
      orders: 'success',
      returns: 'skipped',
      report: 'success',
    });
    expect(tested.log).toMatch(/1 file: \S+orders\.csv/);
  });

  it('typed_xcoms passes parts of values', async () => {
    const tested = await runDag('typed_xcoms', tmp);
    expect(tested.returned.invoice).toEqual({ orderId: 4711, net: 40, gross: 47.6 });
    expect(tested.log).toContain('invoice of order 4711: 47.6');
  });
});
