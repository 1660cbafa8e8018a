import type { AdminService, RunKeyring, SensorEvents, Workers } from '@rondo/application';
import type { AdmissionQueries, CommandBus } from '@rondo/contracts';
import type {
  BlobStore,
  BundleStore,
  Clock,
  DeadLetters,
  EventStore,
  LogStore,
  PersistentSubscriptions,
  Position,
  ReadModels,
  SecretBox,
} from '@rondo/ports';
import type { Authorize } from './http/authorize.ts';
import type { DoorOptions } from './http/door.ts';

export interface ComponentHealth {
  readonly status: 'ok' | 'failing';
  readonly detail?: string;
}

export interface HealthReport {
  readonly status: 'ok' | 'failing';
  readonly components: Readonly<Record<string, ComponentHealth>>;
}

/** What an administrator may ask of the platform that runs in this process. */
export interface AdminCommands {
  /** Writes a copy of the data folder to a folder that does not exist yet. Throws an error to be shown when it cannot. */
  backup(path: string): Promise<{ readonly path: string; readonly position: Position }>;
}

/** Everything that the service stands on. */
export interface QueryOptions {
  /** Rows as `openedReadModels` gives them. */
  readonly readModels: ReadModels;
  /** Events as they are stored. */
  readonly eventStore: EventStore;
  /** The keys of sealed runs (I14). Absent: no run is sealed. */
  readonly keyring?: RunKeyring;
  readonly commands: CommandBus;
  readonly logs: LogStore;
  readonly blobs: BlobStore;
  readonly bundles: BundleStore;
  readonly secrets: SecretBox;
  readonly admin: AdminService;
  readonly sensorEvents: SensorEvents;
  readonly admission: AdmissionQueries;
  readonly workers: Workers;
  /** Somebody archives the runs that are asked for. Default false: they are archived while no platform runs. */
  readonly archives?: boolean;
  readonly deadLetters: DeadLetters;
  /** Where alerts are followed. Absent: there is no alerting service. */
  readonly subscriptions?: PersistentSubscriptions;
  readonly clock: Clock;
  readonly health: () => Promise<HealthReport>;
  readonly adminCommands?: AdminCommands;
  readonly door?: DoorOptions;
  readonly authorize?: Authorize;
  /** False: a run's conf changes no params, and is not checked against them. Default true. */
  readonly confOverridesParams?: boolean;
  /** The release's version. */
  readonly version: string;
}

export const READ_MODELS = Symbol('read models');
export const EVENT_STORE = Symbol('event store');
export const COMMANDS = Symbol('commands');
export const LOGS = Symbol('logs');
export const BLOBS = Symbol('blobs');
export const RUN_BLOBS = Symbol('large values of runs');
export const KEYRING = Symbol('keys of sealed runs');
export const BUNDLES = Symbol('bundles');
export const SECRETS = Symbol('secrets');
export const SENSOR_EVENTS = Symbol('events from outside');
export const ADMIN = Symbol('administration');
export const ADMISSION = Symbol('admission');
export const WORKERS = Symbol('workers');
export const ARCHIVES = Symbol('archives');
export const DEAD_LETTERS = Symbol('dead letters');
export const SUBSCRIPTIONS = Symbol('persistent subscriptions');
export const CLOCK = Symbol('clock');
export const HEALTH = Symbol('health');
export const ADMIN_COMMANDS = Symbol('administrative commands');
export const DOOR = Symbol('door');
export const AUTHORIZE = Symbol('authorize');
export const CONF_OVERRIDES_PARAMS = Symbol('conf overrides params');
export const VERSION = Symbol('version');
