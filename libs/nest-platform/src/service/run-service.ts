import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { isatty } from 'node:tty';
import { readConfig, type ConfigSource } from '../config/read-config.ts';
import { address, choice, text, whole, type ConfigOf, type Sections } from '../config/setting.ts';
import { startHealthServer, type DependencyState, type HealthServer } from '../health/health-server.ts';
import { createLog, LEVELS, type Log } from '../logging/log.ts';
import { Metrics, METRICS_TYPE } from '../metrics/metrics.ts';
import { processMetrics } from '../metrics/process-metrics.ts';
import { Parts, StoppingError, type Part } from './parts.ts';

/** Settings that every service has. */
export const SERVICE_SETTINGS = {
  instance: text('Name of this process in logs and at its partners; unique.', {
    form: [/^[\w.-]{1,100}$/, 'letters, digits, . _ -, at most 100'],
  }),
  logLevel: choice('Lines below this level are left out.', LEVELS, { default: 'info' }),
  logFormat: choice('json: one object a line; text: for people; auto: text on a terminal.', ['auto', 'json', 'text'], {
    default: 'auto',
  }),
  health: address('Where /healthz, /readyz and /metrics are served.', { default: '127.0.0.1:8081' }),
  grace: whole('Seconds that work under way may take after SIGTERM, and that stopping may take beyond it.', 0, 3_600, {
    default: 20,
  }),
};

type AllSections<S extends Sections> = S & { readonly service: typeof SERVICE_SETTINGS };

export interface Service<S extends Sections> {
  readonly config: ConfigOf<AllSections<S>>;
  readonly instance: string;
  readonly log: Log;
  /** Starts a part, after those before it; parts stop in the reverse order. */
  readonly add: <P extends Part>(part: P) => Promise<P>;
  /** Starts parts that do not need each other at the same time; they stop one after the other, the last first. */
  readonly addAll: (parts: readonly Part[]) => Promise<void>;
  /** The state of each part. */
  readonly states: () => Promise<Readonly<Record<string, DependencyState>>>;
  /** What `/metrics` answers: what is added to these. */
  readonly metrics: Metrics;
  /** Ends the service as a signal would: it has nothing left to do. */
  readonly end: (reason: string) => void;
  /** Ends the service as a signal would, with status 1: something failed that it cannot do without. */
  readonly fail: (reason: string, error?: unknown) => void;
}

export interface ServiceDefinition<S extends Sections> extends Omit<ConfigSource<S>, 'check'> {
  readonly release: string;
  readonly check?: (config: ConfigOf<AllSections<S>>) => readonly string[];
  /** Adds the parts. The service is ready when it resolves. */
  readonly compose: (service: Service<S>) => Promise<void>;
}

/** What of the process a service uses. */
export interface Surroundings {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly isTerminal: boolean;
  readonly onSignal: (handler: (signal: string) => void) => void;
  /** An error that nobody caught: what the process would do next is not known. */
  readonly onCrash: (handler: (error: unknown) => void) => void;
  /** Ends the process at once. */
  readonly exit: (status: number) => void;
}

/** Exit statuses: 0 stopped as it should, 1 it failed, 2 the configuration is wrong. */
export async function runService<S extends Sections>(
  definition: ServiceDefinition<S>,
  surroundings: Surroundings = ofProcess(),
): Promise<number> {
  const sections = { service: SERVICE_SETTINGS, ...definition.sections } as AllSections<S>;
  const source = { ...definition, sections } as unknown as ConfigSource<AllSections<S>>;
  const read = readConfig(source, surroundings.args, surroundings.env);
  if (read.kind === 'help') {
    surroundings.out(read.text);
    return 0;
  }
  if (read.kind === 'bad') {
    for (const problem of read.problems) surroundings.err(`rondo-${definition.service}: ${problem}\n`);
    surroundings.err(`rondo-${definition.service}: --help tells every setting\n`);
    return 2;
  }
  return new RunningService(definition, read.config, read.secrets, surroundings).run();
}

class RunningService<S extends Sections> implements Service<S> {
  readonly config: ConfigOf<AllSections<S>>;
  readonly instance: string;
  readonly log: Log;
  readonly metrics = new Metrics();
  readonly #definition: ServiceDefinition<S>;
  readonly #around: Surroundings;
  readonly #parts: Parts;
  readonly #ended = Promise.withResolvers<number>();
  #isStarted = false;
  #isEnding = false;

  constructor(
    definition: ServiceDefinition<S>,
    config: ConfigOf<AllSections<S>>,
    secrets: readonly string[],
    around: Surroundings,
  ) {
    this.#definition = definition;
    this.#around = around;
    this.config = config;
    const { service } = config as ConfigOf<{ readonly service: typeof SERVICE_SETTINGS }>;
    this.instance =
      service.instance ?? `${definition.service}-${hostname().slice(0, 60)}-${randomBytes(3).toString('hex')}`;
    const isText = service.logFormat === 'text' || (service.logFormat === 'auto' && around.isTerminal);
    this.log = createLog({
      service: definition.service,
      instance: this.instance,
      level: service.logLevel,
      format: isText ? 'text' : 'json',
      secrets,
      write: around.out,
    });
    this.#parts = new Parts(this.log);
    processMetrics(this.metrics, definition.service, definition.release);
  }

  readonly add = <P extends Part>(part: P): Promise<P> => this.#parts.add(part);

  readonly addAll = (parts: readonly Part[]): Promise<void> => this.#parts.addAll(parts);

  readonly states = (): Promise<Readonly<Record<string, DependencyState>>> => this.#parts.states();

  readonly end = (reason: string): void => {
    this.log.info(reason);
    this.#end(0);
  };

  readonly fail = (reason: string, error?: unknown): void => {
    this.log.error(reason, error === undefined ? {} : { error });
    this.#end(1);
  };

  async run(): Promise<number> {
    const { release, compose } = this.#definition;
    this.#around.onSignal((signal) => this.#onSignal(signal));
    this.#around.onCrash((error) => {
      this.log.error('an error that nobody caught: the process ends', { error });
      this.#around.exit(1);
    });
    let health: HealthServer;
    try {
      health = await this.#serveHealth();
    } catch (error) {
      this.log.error('the health endpoints cannot be served', { error });
      return 1;
    }
    this.log.info('starting', { release, pid: process.pid, health: health.url });
    const begin = performance.now();
    const composing = compose(this).then(
      () => {
        this.#isStarted = true;
        this.log.info('ready', { ms: Math.round(performance.now() - begin) });
      },
      (error: unknown) => {
        if (!(error instanceof StoppingError)) this.fail('the start failed', error);
      },
    );
    const status = await this.#ended.promise;
    const isDone = await this.#stop(composing);
    await health.close();
    this.log.info('stopped', { status: isDone ? status : 1 });
    return isDone ? status : 1;
  }

  #serveHealth(): Promise<HealthServer> {
    return startHealthServer({
      listen: this.#serviceConfig.health,
      ready: async () => {
        const states = await this.#parts.states();
        return this.#isStarted || this.#isEnding ? states : { ...states, service: { state: 'starting' } };
      },
      metrics: async () => ({ type: METRICS_TYPE, body: await this.metrics.text() }),
    });
  }

  get #serviceConfig(): ConfigOf<{ readonly service: typeof SERVICE_SETTINGS }>['service'] {
    return (this.config as ConfigOf<{ readonly service: typeof SERVICE_SETTINGS }>).service;
  }

  /** False: it did not stop in time. */
  async #stop(composing: Promise<void>): Promise<boolean> {
    const graceMs = this.#serviceConfig.grace * 1_000;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(
        () => {
          this.log.error(
            `${this.#parts.stopping ?? 'a part that starts'} did not stop in time: the process ends as it is`,
          );
          resolve(false);
        },
        graceMs * 2 + STOP_MS,
      );
    });
    const stopped = this.#parts.stop(graceMs).then(async () => {
      // A part whose start was under way stops when that has ended.
      await composing;
      await this.#parts.stop(graceMs);
      return true as const;
    });
    const isDone = await Promise.race([stopped, late]);
    clearTimeout(timer);
    return isDone;
  }

  #onSignal(signal: string): void {
    if (this.#isEnding) {
      this.log.warn(`${signal} once more: the process ends at once`);
      this.#around.exit(130);
      return;
    }
    this.log.info(`${signal}: stopping; once more ends at once`);
    this.#end(0);
  }

  #end(status: number): void {
    this.#isEnding = true;
    this.#ended.resolve(status);
  }
}

/** Beside the grace. */
const STOP_MS = 5_000;

function ofProcess(): Surroundings {
  return {
    args: process.argv.slice(2),
    env: process.env,
    out: (line) => void process.stdout.write(line),
    err: (line) => void process.stderr.write(line),
    isTerminal: isatty(1),
    onSignal: (handler) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => handler(signal));
    },
    onCrash: (handler) => {
      process.on('uncaughtException', handler);
      process.on('unhandledRejection', handler);
    },
    exit: (status) => process.exit(status),
  };
}

/** For a service's `main.ts`: runs it and ends the process with its status. */
export async function main<S extends Sections>(definition: ServiceDefinition<S>): Promise<void> {
  process.exit(await runService(definition));
}
