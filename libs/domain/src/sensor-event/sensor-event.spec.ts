import { compileFilter, type EventFilter } from './filter.ts';
import { MAX_EVENT_BYTES, readSensorEvent, type SensorEvent } from './sensor-event.ts';

const EVENT: SensorEvent = {
  id: '1',
  source: '/shop/eu',
  type: 'order.paid',
  subject: 'orders/42',
  region: 'eu',
  data: { order: { id: 42, lines: [{ sku: 'a' }, { sku: 'b' }] }, 'odd key': null },
};

describe('an event from outside', () => {
  it('is taken with its extensions, without specversion', () => {
    expect(readSensorEvent({ specversion: '1.0', ...EVENT, time: '2026-03-14T07:30:00.5+01:00' })).toEqual({
      ok: true,
      value: { ...EVENT, time: '2026-03-14T07:30:00.5+01:00' },
    });
  });

  it.each([
    [null, '(event)'],
    [[EVENT], '(event)'],
    [{ ...EVENT, id: '' }, 'id'],
    [{ ...EVENT, id: undefined }, 'id'],
    [{ ...EVENT, source: 7 }, 'source'],
    [{ ...EVENT, type: 'two\nlines' }, 'type'],
    [{ ...EVENT, subject: '' }, 'subject'],
    [{ ...EVENT, time: 'yesterday' }, 'time'],
    [{ ...EVENT, time: '2026-13-14T07:30:00Z' }, 'time'],
    [{ ...EVENT, specversion: '0.3' }, 'specversion'],
    [{ ...EVENT, data_base64: 'AA==' }, 'data_base64'],
    [{ ...EVENT, CamelCase: 'x' }, 'CamelCase'],
    [{ ...EVENT, list: ['x'] }, 'list'],
    [{ ...EVENT, data: 'é'.repeat(MAX_EVENT_BYTES / 2) }, 'data'],
  ])('%j is refused by the name of what is wrong', (given, name) => {
    const read = readSensorEvent(given);
    expect(read.ok ? [] : read.error.map((fault) => fault.name)).toEqual([name]);
  });

  it('tells every fault at once', () => {
    const read = readSensorEvent({ source: '', time: 'x' });
    expect(read.ok ? [] : read.error.map((fault) => fault.name)).toEqual(['id', 'source', 'type', 'time']);
  });
});

describe('a filter', () => {
  const passes: readonly (readonly [EventFilter, boolean])[] = [
    [{ exact: { type: 'order.paid', region: 'eu' } }, true],
    [{ exact: { type: 'order' } }, false],
    [{ prefix: { subject: 'orders/' } }, true],
    [{ prefix: { time: '2026' } }, false],
    [{ suffix: { source: '/eu' } }, true],
    [{ suffix: { source: '/us' } }, false],
    [{ exact: { data: 'x' } }, false],
    [{ data: { 'order.id': 42 } }, true],
    [{ data: { 'order.id': '42' } }, false],
    [{ data: { '$.order.lines[1].sku': 'b', 'order.lines.0': { sku: 'a' } } }, true],
    [{ data: { 'order.lines': [{ sku: 'a' }] } }, false],
    [{ data: { 'odd key': null } }, true],
    [{ data: { missing: null } }, false],
    [{ data: { 'order.lines.length': 2 } }, false],
    [{ not: { exact: { type: 'order.paid' } } }, false],
    [{ any: [{ exact: { type: 'x' } }, { prefix: { type: 'order' } }] }, true],
    [{ all: [{ exact: { type: 'x' } }, { prefix: { type: 'order' } }] }, false],
    [[{ prefix: { type: 'order' } }, { suffix: { type: 'paid' } }], true],
  ];
  it.each(passes)('%j lets the event through: %s', (filter, expected) => {
    const test = compileFilter(filter as never);
    expect(test.ok ? test.value(EVENT) : test.error).toBe(expected);
  });

  it.each([
    ['x', 'filter is "x"; allowed: an object with one of exact, prefix, suffix, data, all, any, not'],
    [{}, 'filter is {}; allowed: an object with exactly one of exact, prefix, suffix, data, all, any, not'],
    [{ sql: 'a' }, 'filter is "sql"; allowed: one of exact, prefix, suffix, data, all, any, not'],
    [
      { exact: { type: 7 } },
      'filter.exact is {"type":7}; allowed: an object of attributes and texts, for example { "subject": "orders/" }',
    ],
    [{ any: [{ not: { all: [] } }] }, 'filter.any[0].not.all is []; allowed: a list of at least one filter'],
    [{ any: {} }, 'filter.any is {}; allowed: a list of filters'],
    [{ data: { 'a..b': 1 } }, 'filter.data is "a..b"; allowed: paths such as order.lines[0].sku'],
    [{ data: 1 }, 'filter.data is 1; allowed: an object of paths and values, for example { "order.status": "paid" }'],
  ])('%j is refused with its place', (filter, message) => {
    expect(compileFilter(filter)).toEqual({ ok: false, error: message });
  });
});
