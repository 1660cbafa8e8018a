import { maskVariables, TemplateMiner } from '../../dags/monitor_errors/templates.ts';

const mine = (messages: readonly string[]) => {
  const miner = new TemplateMiner();
  for (const message of messages) miner.add(message);
  return miner.templates();
};

describe('masking', () => {
  it.each([
    ['order 4711 took -3.5 s', 'order <num> took <num> s'],
    ['from 10.1.2.3:40 port 22', 'from <ip> port <num>'],
    ['open /var/lib/app/drift.1 failed', 'open <path> failed'],
    ['see http://host:80/a?b=1', 'see <url>'],
    ['at 0x1f3a in deadbeef01', 'at <hex> in <hex>'],
    ['req-6545e148-38bb-4960-926b-9d6428dbd8e4 done', 'req-<id> done'],
    ['AH00957: 3 of 14ms', 'AH00957: <num> of <num>ms'],
    ['block blk_123 of port=80', 'block blk_<num> of port=<num>'],
  ])('%s', (message, masked) => expect(maskVariables(message)).toBe(masked));
});

describe('template mining', () => {
  it('groups messages that differ in their variables and counts them', () => {
    expect(mine(['user mara logged in', 'user teo logged in', 'disk is full', 'user ines logged in'])).toEqual([
      { template: 'user <*> logged in', count: 3 },
      { template: 'disk is full', count: 1 },
    ]);
  });

  it('keeps messages of different lengths and first words apart', () => {
    expect(mine(['lost peer 1', 'lost peer 1 again', 'found peer 1'])).toHaveLength(3);
  });

  it('tells a message its template once all are in', () => {
    const miner = new TemplateMiner();
    const first = miner.add('cache a is cold');
    miner.add('cache b is cold');
    expect(first()).toBe('cache <*> is cold');
  });

  it('puts equal counts in order of text, whatever the order of arrival', () => {
    expect(mine(['b', 'a'])).toEqual(mine(['a', 'b']));
  });
});
