import { LineReader } from '../../dags/monitor_errors/formats.ts';
import { errorsOf, readRecords } from '../../dags/monitor_errors/records.ts';

const read = (line: string) => new LineReader(2026).read(line);

describe('line formats', () => {
  const cases: readonly (readonly [
    name: string,
    line: string,
    time: string | null,
    level: string | null,
    component: string | null,
    message: string,
  ])[] = [
    [
      'Tomcat',
      '14-Mar-2026 07:43:06.380 SEVERE [main] org.x.Engine.start no port',
      '2026-03-14T07:43:06.380',
      'SEVERE',
      null,
      'org.x.Engine.start no port',
    ],
    [
      'log4j with an English date',
      '14 Mar 2026 07:43:06,380 ERROR a.b.C - broken',
      '2026-03-14T07:43:06.380',
      'ERROR',
      'a.b.C',
      'broken',
    ],
    ['log4j counting from its start', '4711 [main] ERROR a.b.C  - broken', null, 'ERROR', 'a.b.C', 'broken'],
    [
      'Java with the level first',
      'ERROR [main] 2026-03-14 07:43:06,380 Store.java:12 - broken',
      '2026-03-14T07:43:06.380',
      'ERROR',
      null,
      'Store.java:12 - broken',
    ],
    [
      'Python with the place in braces',
      '[2026-03-14T07:43:06.380+0000] {job.py:12} ERROR - broken',
      '2026-03-14T07:43:06.380Z',
      'ERROR',
      null,
      'broken',
    ],
    [
      'loguru',
      '2026-03-14 07:43:06.380 | ERROR    | app.sync:poll:12 - broken',
      '2026-03-14T07:43:06.380',
      'ERROR',
      null,
      'app.sync:poll:12 - broken',
    ],
    ['structlog', '2026-03-14 07:43:06 [error    ] broken', '2026-03-14T07:43:06', 'ERROR', null, 'broken'],
    [
      'log4j with the thread first',
      '2026-03-14 07:43:06,380 [main] ERROR a.b.Service - order 12 refused',
      '2026-03-14T07:43:06.380',
      'ERROR',
      'a.b.Service',
      'order 12 refused',
    ],
    [
      'Hadoop',
      '2026-03-14 07:43:06,380 FATAL [IPC Server 3] org.x.Listener: task 7 exited',
      '2026-03-14T07:43:06.380',
      'FATAL',
      'org.x.Listener',
      'task 7 exited',
    ],
    [
      'HDFS',
      '260314 074306 35 WARN dfs.DataNode: block blk_1 is late',
      '2026-03-14T07:43:06',
      'WARN',
      'dfs.DataNode',
      'block blk_1 is late',
    ],
    [
      'Spark',
      '26/03/14 07:43:06 INFO storage.Memory: 3 blocks',
      '2026-03-14T07:43:06',
      'INFO',
      'storage.Memory',
      '3 blocks',
    ],
    [
      'ZooKeeper',
      '2026-03-14 07:43:06,380 - ERROR [Handler-/10.1.1.1:40:Learner@562] - closed',
      '2026-03-14T07:43:06.380',
      'ERROR',
      'Learner',
      'closed',
    ],
    [
      'ZooKeeper with an id',
      '2026-03-14 07:43:06,380 [myid:1] - INFO  [main:Quorum@1] - up',
      '2026-03-14T07:43:06.380',
      'INFO',
      'Quorum',
      'up',
    ],
    [
      'Spring Boot',
      '2026-03-14T07:43:06.380Z ERROR 47 --- [exec-1] c.r.Inbox : cannot decode',
      '2026-03-14T07:43:06.380Z',
      'ERROR',
      'c.r.Inbox',
      'cannot decode',
    ],
    ['Logback without a date', '07:43:06.380 [main] ERROR a.b.C - broken', null, 'ERROR', 'a.b.C', 'broken'],
    [
      'Python logging',
      '2026-03-14 07:43:06,380 - app.sync - CRITICAL - no disk',
      '2026-03-14T07:43:06.380',
      'CRITICAL',
      'app.sync',
      'no disk',
    ],
    [
      'Python logging, level first',
      '2026-03-14 07:43:06,380 ERROR app.sync: no disk',
      '2026-03-14T07:43:06.380',
      'ERROR',
      'app.sync',
      'no disk',
    ],
    [
      'Python logging in brackets',
      '2026-03-14 07:43:06,380 [ERROR] app.sync: no disk',
      '2026-03-14T07:43:06.380',
      'ERROR',
      'app.sync',
      'no disk',
    ],
    [
      'Flask',
      '[2026-03-14 07:43:06,380] ERROR in app: no route',
      '2026-03-14T07:43:06.380',
      'ERROR',
      'app',
      'no route',
    ],
    [
      'Celery',
      '[2026-03-14 07:43:06,380: ERROR/MainProcess] lost',
      '2026-03-14T07:43:06.380',
      'ERROR',
      'MainProcess',
      'lost',
    ],
    [
      'Gunicorn',
      '[2026-03-14 07:43:06 +0100] [81] [ERROR] worker left',
      '2026-03-14T06:43:06.000Z',
      'ERROR',
      null,
      'worker left',
    ],
    [
      'OpenStack',
      '2026-03-14 07:43:06.380 31 ERROR nova.api [req-1a - - -] failed',
      '2026-03-14T07:43:06.380',
      'ERROR',
      'nova.api',
      'failed',
    ],
    [
      'OpenStack after a file name',
      'nova.log.1 2026-03-14 07:43:06.380 31 INFO nova.api [-] up',
      '2026-03-14T07:43:06.380',
      'INFO',
      'nova.api',
      'up',
    ],
    ['Python basicConfig', 'ERROR:root:no disk', null, 'ERROR', 'root', 'no disk'],
    [
      'Apache httpd 2.2',
      '[Sat Mar 14 07:43:06 2026] [error] child 3 is gone',
      '2026-03-14T07:43:06',
      'ERROR',
      null,
      'child 3 is gone',
    ],
    [
      'Apache httpd 2.4',
      '[Sat Mar 14 07:43:06.123456 2026] [core:crit] [pid 2:tid 4] no space',
      '2026-03-14T07:43:06.123',
      'CRIT',
      'core',
      'no space',
    ],
    [
      'Apache access log',
      '::1 - - [14/Mar/2026:07:43:06 +0100] "GET /error HTTP/1.1" 500 12',
      '2026-03-14T06:43:06.000Z',
      null,
      null,
      '"GET /error HTTP/1.1" 500 12',
    ],
    [
      'nginx',
      '2026/03/14 07:43:06 [error] 81#0: *4 connect failed',
      '2026-03-14T07:43:06',
      'ERROR',
      null,
      '81#0: *4 connect failed',
    ],
    [
      'syslog',
      'Mar  4 07:43:06 host kernel: I/O error on sdb1',
      '2026-03-04T07:43:06',
      null,
      'kernel',
      'I/O error on sdb1',
    ],
    [
      'sshd',
      'Mar 14 07:43:06 host sshd[12]: error: PAM: refused',
      '2026-03-14T07:43:06',
      null,
      'sshd',
      'error: PAM: refused',
    ],
    ['syslog with a priority', '<34>Mar 14 07:43:06 host su: refused', '2026-03-14T07:43:06', 'CRIT', 'su', 'refused'],
    [
      'syslog of RFC 5424',
      '<165>1 2026-03-14T07:43:06.003Z host evntslog - ID47 [a@1 b="c"] started',
      '2026-03-14T07:43:06.003Z',
      'NOTICE',
      'evntslog',
      'started',
    ],
    [
      'syslog with an ISO time',
      '2026-03-14T07:43:06+01:00 host sshd[12]: Failed password',
      '2026-03-14T06:43:06.000Z',
      null,
      'sshd',
      'Failed password',
    ],
    [
      'health app',
      '20260314-7:3:6:38|Step_LSC|300|screen error',
      '2026-03-14T07:03:06.380',
      null,
      'Step_LSC',
      'screen error',
    ],
    [
      'a time and no level',
      '2026-03-14 07:43:06 an error in the text',
      '2026-03-14T07:43:06',
      null,
      null,
      'an error in the text',
    ],
  ];

  it.each(cases)('%s', (_name, line, time, level, component, message) => {
    expect(read(line)).toMatchObject({ time, level, component, message });
  });

  it('is not led astray by an error in the text of a line with another level', () => {
    const lines = [
      '2026-03-14 07:43:06,380 INFO [main] a.B: ERROR page loaded',
      '2026-03-14 07:43:06,380 - app - WARNING - ERROR - twice',
    ];
    expect(lines.map((line) => read(line)?.level)).toEqual(['INFO', 'WARNING']);
  });
});

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
