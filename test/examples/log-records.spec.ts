import { errorsOf, readRecords } from '../../dags/monitor_errors/records.ts';

describe('records of several lines', () => {
  it('gives a Java stack trace to the record before it', () => {
    const log = [
      '2026-03-14 07:43:06,380 [w-1] ERROR a.B - broken',
      'java.lang.Error: ERROR',
      '\tat a.B.c(B.java:1)',
      '',
      '2026-03-14 07:43:07,001 [w-1] INFO  a.B - on',
    ].join('\n');
    const records = [...readRecords(log, 2026)];
    expect(records).toHaveLength(2);
    expect(records[0]).toMatchObject({
      level: 'ERROR',
      line: 1,
      details: ['java.lang.Error: ERROR', '\tat a.B.c(B.java:1)', ''],
    });
    expect(records[1]).toMatchObject({ level: 'INFO', line: 5 });
  });

  it('gives a Python traceback to the record before it, with Windows line ends too', () => {
    const log = [
      '2026-03-14 07:43:06,380 - app - ERROR - broken',
      'Traceback (most recent call last):',
      'ERROR: ValueError',
      '',
    ].join('\r\n');
    expect(errorsOf('app', log, 2026)).toMatchObject({ records: 1, errors: [{ app: 'app', line: 1 }] });
  });

  it('reads the two lines of java.util.logging as one record', () => {
    const log = [
      'Mar 14, 2026 7:43:06 PM a.b.Main start',
      'SEVERE: no port',
      '\tat a.b.Main.start(Main.java:9)',
      'Mar 14, 2026 7:43:07 PM a.b.Main stop',
      'INFO: bye',
    ].join('\n');
    const records = [...readRecords(log, 2026)];
    expect(records.map(({ level, message, time }) => ({ level, message, time }))).toEqual([
      { level: 'SEVERE', message: 'no port', time: '2026-03-14T19:43:06' },
      { level: 'INFO', message: 'bye', time: '2026-03-14T19:43:07' },
    ]);
    expect(records[0]?.details).toEqual(['\tat a.b.Main.start(Main.java:9)']);
  });

  it('takes lines without a time for records only where no line has one', () => {
    expect(errorsOf('app', '[INFO] ok\n[ERROR] build failed\n', 2026).errors).toHaveLength(1);
    expect(errorsOf('app', '2026-03-14 07:43:06 INFO a: ok\n[ERROR] quoted\n', 2026).errors).toHaveLength(0);
  });

  it('finds nothing in an empty log and no error in plain text', () => {
    expect(errorsOf('app', '', 2026)).toEqual({ records: 0, errors: [] });
    expect(errorsOf('app', 'an error\nanother error\n', 2026).errors).toEqual([]);
  });
});
