import { stripVTControlCharacters } from 'node:util';
import { createLog, type LogOptions } from './log.ts';

function aLog(change: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const log = createLog({
    service: 'scheduler',
    instance: 's1',
    level: 'info',
    format: 'json',
    write: (line) => void lines.push(stripVTControlCharacters(line)),
    now: () => new Date(0),
    ...change,
  });
  return { log, lines };
}

describe('the log of a service', () => {
  it('writes one JSON object a line, with what it is about', () => {
    const { log, lines } = aLog();
    log.with({ dag: 'etl', run: 'r1' }).warn('two\nlines', { task: 'load', extra: undefined });
    expect(lines).toHaveLength(1);
    expect(lines[0]!.indexOf('\n')).toBe(lines[0]!.length - 1);
    expect(JSON.parse(lines[0]!)).toEqual({
      time: '1970-01-01T00:00:00.000Z',
      level: 'warn',
      service: 'scheduler',
      instance: 's1',
      message: 'two\nlines',
      dag: 'etl',
      run: 'r1',
      task: 'load',
    });
  });

  it('leaves lines below its level out, and lets no field stand for its own', () => {
    const { log, lines } = aLog();
    log.debug('unseen');
    log.error('seen', { level: 'debug', error: new Error('why') });
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([{ level: 'error', error: 'why' }]);
    expect(lines[0]).toContain('log.spec.ts');
  });

  it('masks secrets wherever they are', () => {
    const { log, lines } = aLog({ secrets: ['geheim', 'ab'] });
    log.error('login of geheim failed', { error: new Error('geheim: ab'), at: ['geheim'] });
    expect(lines[0]).not.toContain('geheim');
    expect(JSON.parse(lines[0]!)).toMatchObject({ message: 'login of *** failed', error: '***: ab' });
  });

  it('writes for people', () => {
    const { log, lines } = aLog({ format: 'text' });
    log.info('took partitions', { count: 3, dag: 'etl' });
    expect(lines).toEqual(['00:00:00.000 info  scheduler: took partitions count=3 dag=etl\n']);
  });
});
