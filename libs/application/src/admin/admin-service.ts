import { hash } from 'node:crypto';
import {
  assetStream,
  DEFAULT_POOL,
  INFINITE_SLOTS,
  MAX_ASSET_EXTRA_BYTES,
  type Connection,
  type ConnectionEvent,
  type PoolEvent,
  type Sealed,
  type VariableEvent,
} from '@rondo/domain';
import { err, ok, type Json, type Result } from '@rondo/kernel';
import type { AssetEventRow, Clock, EventStore, Ids, Position, RecordedEvent, SecretBox } from '@rondo/ports';
import { stableId } from '../scheduler/asset-updates.ts';
import { envelope, type Trace } from '../scheduler/envelope.ts';

/** Bytes that a variable, or a connection as JSON, may have, so that its event stays under the limit (I7). */
export const MAX_SECRET_BYTES = 40_000;
const ATTEMPTS = 3;

export interface AdminRefusal {
  readonly code: 'not_found' | 'conflict' | 'invalid';
  readonly message: string;
}

export interface Written {
  readonly position: Position;
  /** False: something stood there before. */
  readonly created: boolean;
}

export interface VariableInput {
  readonly key: string;
  readonly value: string;
  readonly description?: string;
}

export interface PoolInput {
  readonly name: string;
  /** From 0; -1: no limit. */
  readonly slots: number;
  readonly description?: string;
  /** Only false, the default, is allowed. */
  readonly includeDeferred?: boolean;
}

/** What is left out of `password` and `extra` stays as it was; null removes it. */
export interface ConnectionInput extends Omit<Connection, 'password' | 'extra'> {
  readonly password?: string | null;
  readonly extra?: NonNullable<Connection['extra']> | null;
}

export interface AdminServiceOptions {
  readonly eventStore: EventStore;
  readonly secrets: SecretBox;
  readonly clock: Clock;
  readonly ids: Ids;
}

export interface AssetUpdateInput {
  readonly name: string;
  readonly uri: string;
  readonly extra?: Json;
  readonly partitionKey?: string;
}

interface WriteOptions {
  /** For example `user:ada`. */
  readonly actor: string;
  /** True: refuse with `conflict` what exists already. Default false. */
  readonly create?: boolean;
}

type AdminEvent = VariableEvent | ConnectionEvent | PoolEvent;

/** Writes variables and connections, sealed, and pools: each to its own stream, with the revision that the decision saw. */
export class AdminService {
  private readonly options: AdminServiceOptions;

  constructor(options: AdminServiceOptions) {
    this.options = options;
  }

  setVariable(input: VariableInput, options: WriteOptions): Promise<Result<Written, AdminRefusal>> {
    const { key, value, description } = input;
    return this.write(`variable-${key}`, options, (before) => {
      const exists = before?.type === 'VariableSet';
      if (exists && options.create === true) return refuse('conflict', `variable '${key}' exists already`);
      if (Buffer.byteLength(value) > MAX_SECRET_BYTES) return tooLarge(`variable '${key}'`, value);
      const sealed = this.options.secrets.seal(value, `variable:${key}`);
      const data = { key, value: sealed, ...(description === undefined ? {} : { description }) };
      return ok({ event: { type: 'VariableSet', data }, created: !exists });
    });
  }

  deleteVariable(key: string, options: WriteOptions): Promise<Result<Written, AdminRefusal>> {
    return this.write(`variable-${key}`, options, (before) => {
      if (before?.type !== 'VariableSet') return refuse('not_found', `there is no variable '${key}'`);
      return ok({ event: { type: 'VariableDeleted', data: { key } }, created: false });
    });
  }

  setConnection(input: ConnectionInput, options: WriteOptions): Promise<Result<Written, AdminRefusal>> {
    const { connId } = input;
    return this.write(`connection-${connId}`, options, (before) => {
      const exists = before?.type === 'ConnectionSet';
      if (exists && options.create === true) return refuse('conflict', `connection '${connId}' exists already`);
      const connection = merged(input, exists ? this.opened(connId, before.data.sealed) : undefined);
      const text = JSON.stringify(connection);
      if (Buffer.byteLength(text) > MAX_SECRET_BYTES) return tooLarge(`connection '${connId}'`, text);
      const { password: _password, extra: _extra, ...shown } = connection;
      const data = { ...shown, sealed: this.options.secrets.seal(text, `connection:${connId}`) };
      return ok({ event: { type: 'ConnectionSet', data }, created: !exists });
    });
  }

  deleteConnection(connId: string, options: WriteOptions): Promise<Result<Written, AdminRefusal>> {
    return this.write(`connection-${connId}`, options, (before) => {
      if (before?.type !== 'ConnectionSet') return refuse('not_found', `there is no connection '${connId}'`);
      return ok({ event: { type: 'ConnectionDeleted', data: { connId } }, created: false });
    });
  }

  setPool(input: PoolInput, options: WriteOptions): Promise<Result<Written, AdminRefusal>> {
    const { name, slots, description, includeDeferred = false } = input;
    return this.write(`pool-${name}`, options, (before) => {
      const exists = before?.type === 'PoolSet';
      if (exists && options.create === true) return refuse('conflict', `pool '${name}' exists already`);
      if (!Number.isSafeInteger(slots) || slots < INFINITE_SLOTS)
        return refuse(
          'invalid',
          `pool '${name}': slots is ${slots}; allowed: a whole number from 0, or -1 for no limit`,
        );
      const data = { name, slots, ...(description === undefined ? {} : { description }), includeDeferred };
      return ok({ event: { type: 'PoolSet', data }, created: !exists });
    });
  }

  /** What runs in the pool goes on; what waits for it waits until the pool is set again. */
  deletePool(name: string, options: WriteOptions): Promise<Result<Written, AdminRefusal>> {
    return this.write(`pool-${name}`, options, (before) => {
      if (name === DEFAULT_POOL.name) return refuse('invalid', `pool '${name}' cannot be deleted: it can be resized`);
      if (before?.type !== 'PoolSet') return refuse('not_found', `there is no pool '${name}'`);
      return ok({ event: { type: 'PoolDeleted', data: { name } }, created: false });
    });
  }

  /** An update of an asset by somebody from outside; with a key, a repeat is the same event (I6). */
  async updateAsset(
    input: AssetUpdateInput,
    { actor, key }: { readonly actor: string; readonly key?: string },
  ): Promise<Result<{ readonly position: Position; readonly event: AssetEventRow }, AdminRefusal>> {
    const { eventStore, clock, ids } = this.options;
    const bytes = Buffer.byteLength(JSON.stringify(input.extra ?? null));
    if (bytes > MAX_ASSET_EXTRA_BYTES)
      return refuse('invalid', `extra has ${bytes} bytes of JSON; at most ${MAX_ASSET_EXTRA_BYTES} are allowed`);
    const { name, uri, extra = {}, partitionKey } = input;
    const at = clock.now();
    const data = { name, uri, at, extra, ...(partitionKey === undefined ? {} : { partitionKey }) };
    const stream = assetStream(name);
    const id = key === undefined ? ids : { uuid: () => stableId(`update:${name}:${key}`) };
    const cause = { causationId: key ?? ids.uuid(), actor };
    const event = envelope({ type: 'AssetUpdated', data }, traceOfStream(stream), cause, at, id);
    const [outcome] = await eventStore.append([{ stream, expected: 'any', events: [event] }]);
    if (outcome?.ok !== true) throw new Error(`an update of asset '${name}' was not appended`);
    const { position, revision } = outcome;
    const row = {
      name,
      revision,
      position,
      uri,
      at,
      extra,
      partitionKey: partitionKey ?? null,
      aliases: [],
      source: null,
    };
    return ok({ position, event: row });
  }

  private opened(connId: string, sealed: Sealed): Connection {
    return JSON.parse(this.options.secrets.open(sealed, `connection:${connId}`)) as Connection;
  }

  /** Decides on the stream's last event, and again when somebody else has written meanwhile. */
  private async write(stream: string, options: WriteOptions, decide: Decide): Promise<Result<Written, AdminRefusal>> {
    const { eventStore, clock, ids } = this.options;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const last = await this.lastOf(stream);
      const decided = decide(last === undefined ? undefined : bodyOf(last));
      if (!decided.ok) return decided;
      const cause = { causationId: ids.uuid(), actor: options.actor };
      const event = envelope(decided.value.event, traceOfStream(stream), cause, clock.now(), ids);
      const [outcome] = await eventStore.append([{ stream, expected: last?.revision ?? 'noStream', events: [event] }]);
      if (outcome?.ok === true) return ok({ position: outcome.position, created: decided.value.created });
    }
    return refuse('conflict', `'${stream}' was changed by somebody else ${ATTEMPTS} times in a row; try again`);
  }

  private async lastOf(stream: string): Promise<RecordedEvent | undefined> {
    for await (const page of this.options.eventStore.readStream(stream, { backwards: true, limit: 1 })) return page[0];
    return undefined;
  }
}

type Decide = (
  before: AdminEvent | undefined,
) => Result<{ readonly event: AdminEvent; readonly created: boolean }, AdminRefusal>;

const refuse = (code: AdminRefusal['code'], message: string): Result<never, AdminRefusal> => err({ code, message });

function tooLarge(what: string, text: string): Result<never, AdminRefusal> {
  return refuse('invalid', `${what} has ${Buffer.byteLength(text)} bytes; at most ${MAX_SECRET_BYTES} are allowed`);
}

function merged({ password, extra, ...shown }: ConnectionInput, before: Connection | undefined): Connection {
  const kept = {
    password: password === undefined ? before?.password : (password ?? undefined),
    extra: extra === undefined ? before?.extra : (extra ?? undefined),
  };
  return {
    ...shown,
    ...(kept.password === undefined ? {} : { password: kept.password }),
    ...(kept.extra === undefined ? {} : { extra: kept.extra }),
  };
}

function bodyOf(recorded: RecordedEvent): AdminEvent {
  return { type: recorded.type, data: JSON.parse(recorded.data) as unknown } as AdminEvent;
}

function traceOfStream(stream: string): Trace {
  const digest = hash('sha256', stream, 'hex');
  return { traceId: digest.slice(0, 32), spanId: digest.slice(32, 48) };
}
