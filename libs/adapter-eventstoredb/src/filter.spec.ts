import { covers, serverFilter, wants } from './filter.ts';

describe('what the server is asked to leave out', () => {
  it('goes by the types where there are any, else by the streams', () => {
    expect(serverFilter({ streamPrefixes: ['dagRun-'], eventTypes: ['RunFailed'] })).toMatchObject({ on: 'type' });
    expect(serverFilter({ streamPrefixes: ['dagRun-'] })).toMatchObject({ on: 'stream', prefixes: ['dagRun-'] });
  });

  it.each([{}, { streamPrefixes: [] }, { streamPrefixes: ['pool-', ''] }])('is nothing for %j', (filter) => {
    expect(serverFilter(filter)).toBeUndefined();
  });

  const streams = serverFilter({ streamPrefixes: ['dag-', 'dagRun-'] });
  const types = serverFilter({ eventTypes: ['RunFailed', 'RunSucceeded'] });

  it.each([
    [undefined, {}],
    [streams, { streamPrefixes: ['dag-'] }],
    [streams, { streamPrefixes: ['dag-daily', 'dagRun-daily:'] }],
    [streams, { streamPrefixes: ['dagRun-'], eventTypes: ['RunFailed'] }],
    [types, { streamPrefixes: ['dagRun-'], eventTypes: ['RunFailed'] }],
  ])('%j leaves all that %j wants', (wide, filter) => {
    expect(covers(wide, filter)).toBe(true);
  });

  it.each([
    [streams, {}],
    [streams, { streamPrefixes: ['da'] }],
    [streams, { streamPrefixes: ['dag-', 'pool-'] }],
    [streams, { eventTypes: ['RunFailed'] }],
    [types, { streamPrefixes: ['dagRun-'] }],
    [types, { eventTypes: ['RunFailed', 'RunAborted'] }],
  ])('%j leaves out some of what %j wants', (wide, filter) => {
    expect(covers(wide, filter)).toBe(false);
  });

  it('is filtered again: to the server a type is a prefix', () => {
    const isWanted = wants({ eventTypes: ['RunFailed'] });
    expect(isWanted({ stream: 'dagRun-x', type: 'RunFailed' })).toBe(true);
    expect(isWanted({ stream: 'dagRun-x', type: 'RunFailedAgain' })).toBe(false);
  });
});
