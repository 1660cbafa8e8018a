import { Metrics } from './metrics.ts';

describe('metrics', () => {
  it('are told in the text format, with what is read when somebody asks', async () => {
    const metrics = new Metrics();
    let runs = 1;
    metrics.gauge('rondo_runs', 'Runs.', () => [[{ state: 'a "b"\n\\' }, runs]]);
    const count = metrics.counter('rondo_events_total', 'Events.');
    count();
    count(4);
    runs = 2;
    expect(await metrics.text()).toBe(
      '# HELP rondo_runs Runs.\n# TYPE rondo_runs gauge\nrondo_runs{state="a \\"b\\"\\n\\\\"} 2\n' +
        '# HELP rondo_events_total Events.\n# TYPE rondo_events_total counter\nrondo_events_total 5\n',
    );
  });

  it('count times in buckets of which each has those below it', async () => {
    const metrics = new Metrics();
    const took = metrics.seconds('rondo_append_seconds', 'Appends.');
    for (const seconds of [0.001, 0.002, 0.002, 7, 60]) took(seconds);
    took(1, { method: 'GET' });
    const lines = (await metrics.text()).split('\n');
    expect(lines).toContain('rondo_append_seconds_bucket{le="0.001"} 1');
    expect(lines).toContain('rondo_append_seconds_bucket{le="0.0025"} 3');
    expect(lines).toContain('rondo_append_seconds_bucket{le="10"} 4');
    expect(lines).toContain('rondo_append_seconds_bucket{le="+Inf"} 5');
    expect(lines).toContain('rondo_append_seconds_sum 67.005');
    expect(lines).toContain('rondo_append_seconds_count{method="GET"} 1');
  });

  it('leave out what cannot be read, and tell the rest', async () => {
    const metrics = new Metrics();
    metrics.gauge('rondo_head', 'Head.', () => Promise.reject(new Error('away')));
    metrics.gauge('rondo_runs', 'Runs.', () => 1);
    expect(await metrics.text()).toBe('# HELP rondo_runs Runs.\n# TYPE rondo_runs gauge\nrondo_runs 1\n');
  });

  it('have one meaning each', () => {
    const metrics = new Metrics();
    metrics.counter('rondo_runs_total', 'Runs.');
    expect(() => metrics.counter('rondo_runs_total', 'Others.')).toThrow('rondo_runs_total is there twice');
  });
});
