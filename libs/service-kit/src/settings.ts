import { choice, flag, list, text, whole } from '@rondo/nest-platform/service';

const HOST = [/^[^\s:,]+:\d{1,5}$/, 'host:port'] as const;

/** The bus. */
export const KAFKA_SETTINGS = {
  brokers: list('Some of the Kafka brokers.', { required: true, form: HOST }),
  prefix: text('Before the names of topics and groups, so that installations may share brokers.', {
    form: [/^[\w.-]{1,60}$/, 'letters, digits, . _ -'],
  }),
  partitions: whole('Partitions of each topic; the same for all services, and for good.', 1, 4_096, { default: 64 }),
  replicas: whole('Copies of each topic that is made.', 1, 9, { default: 1 }),
  sessionTimeout: whole('Milliseconds without a word after which a process loses its partitions.', 3_000, 300_000, {
    default: 10_000,
  }),
  tls: flag('Connect with TLS, and the certificate authorities of the system (NODE_EXTRA_CA_CERTS adds to them).', {
    default: false,
  }),
  mechanism: choice('How to log in.', ['plain', 'scram-sha-256', 'scram-sha-512'], {}),
  username: text('Of the login.', {}),
  password: text('Of the login.', { secret: true }),
};

/** The history. */
export const EVENTSTORE_SETTINGS = {
  url: text('The EventStoreDB or KurrentDB that holds the history: esdb://user:password@host:2113?tls=true.', {
    required: true,
    secret: true,
    form: [/^(esdb|kurrentdb|kdb)(\+discover)?:\/\/\S+$/, 'esdb://… or esdb+discover://…'],
  }),
};

/** The read models. */
export const POSTGRES_SETTINGS = {
  url: text(
    'The PostgreSQL database of the read models: postgres://user:password@host:5432/database?sslmode=verify-full.',
    {
      required: true,
      secret: true,
      form: [/^postgres(ql)?:\/\/\S+$/, 'postgres://…'],
    },
  ),
  schema: text('The schema of the tables.', {
    default: 'rondo',
    form: [/^[a-z_][a-z0-9_]{0,62}$/, 'lower-case letters, digits and _'],
  }),
  connections: whole('Connections for queries at once.', 1, 200, { default: 10 }),
};

/** Bundles, logs and large values. */
export const STORAGE_SETTINGS = {
  url: text('Where bundles, logs and large values are: a folder that all services share, or a bucket.', {
    required: true,
    form: [
      /^(file:\/\/\/\S+|s3:\/\/[\w.-]+(\/\S*)?(\?\S*)?)$/,
      'file:///FOLDER or s3://BUCKET/PREFIX?endpoint=URL&region=NAME',
    ],
  }),
  accessKeyId: text('Of the bucket. Default: as the AWS SDK finds it.', {}),
  secretAccessKey: text('Of the bucket.', { secret: true }),
  cache: text('A folder of this machine for what may be thrown away.', { default: '/tmp/rondo-cache' }),
};

/** Sealed variables and connections. */
export const SECRETS_SETTINGS = {
  key: text('Opens sealed variables and connections; the same for all services: openssl rand -base64 32.', {
    required: true,
    secret: true,
    form: [/^([0-9a-fA-F]{64}|[\w+/-]{43}=?)$/, '32 bytes as base64 or as 64 hex digits'],
  }),
  runKeys: text('The PostgreSQL database of the keys of sealed runs, with backups of its own. Default: postgres.url.', {
    secret: true,
    form: [/^postgres(ql)?:\/\/\S+$/, 'postgres://…'],
  }),
};

/** Where traces go. */
export const TELEMETRY_SETTINGS = {
  otlp: text(
    'An OpenTelemetry collector that takes traces over HTTP: http://collector:4318. Default: OTEL_EXPORTER_OTLP_ENDPOINT, or no traces.',
    { form: [/^https?:\/\/[^\s@]+$/, 'http://host:4318'] },
  ),
};

/** What is wrong with the settings of the bus together. */
export function kafkaProblems(kafka: {
  readonly mechanism?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}): readonly string[] {
  const given = [kafka.mechanism, kafka.username, kafka.password].filter((value) => value !== undefined).length;
  if (given === 0 || given === 3) return [];
  return ['kafka.mechanism, kafka.username and kafka.password are a login together: all three or none are allowed'];
}

/** All sections of all services: one file may serve them all. */
export const OTHER_SECTIONS: readonly string[] = [
  ...['service', 'kafka', 'eventstore', 'postgres', 'storage', 'secrets', 'telemetry'],
  ...['api', 'scheduler', 'gateway', 'kubernetes', 'gateways', 'worker', 'alerting'],
];
