import type { Connection, ConnectionEvent } from '@rondo/domain';
import type { SecretBox } from '@rondo/ports';
import { memoryEventStore, type MemoryEventStore } from '@rondo/testing';
import { AdminService, MAX_SECRET_BYTES } from './admin-service.ts';

/** Hides a text from a look for it, and is no cipher: the adapters have one. */
const box: SecretBox = {
  seal: (plain, context) => ({ alg: 'A256GCM', kid: 'test', box: Buffer.from(`${context}\n${plain}`).toString('hex') }),
  open: (sealed, context) => {
    const text = Buffer.from(sealed.box, 'hex').toString();
    if (!text.startsWith(`${context}\n`)) throw new Error(`'${context}' does not open it`);
    return text.slice(context.length + 1);
  },
};
const actor = { actor: 'user:ada' };

describe('AdminService', () => {
  let store: MemoryEventStore;
  let admin: AdminService;
  beforeEach(() => {
    store = memoryEventStore();
    let id = 0;
    admin = new AdminService({
      eventStore: store,
      secrets: box,
      clock: { now: () => 1_000, at: () => () => undefined },
      ids: { uuid: () => `id-${++id}` },
    });
  });
  afterEach(() => store.close());

  const lastData = <T>(): T => JSON.parse(store.events.at(-1)!.data) as T;
  const lastConnection = (): Connection =>
    JSON.parse(
      box.open(lastData<Extract<ConnectionEvent, { type: 'ConnectionSet' }>['data']>().sealed, 'connection:c'),
    ) as Connection;

  it('sets a variable, sealed, and tells whether it is new', async () => {
    expect(await admin.setVariable({ key: 'a', value: 'hush' }, actor)).toEqual({
      ok: true,
      value: { position: 1, created: true },
    });
    expect(await admin.setVariable({ key: 'a', value: 'hush 2', description: 'd' }, actor)).toMatchObject({
      value: { created: false },
    });
    expect(store.events.map((event) => [event.stream, event.type])).toEqual([
      ['variable-a', 'VariableSet'],
      ['variable-a', 'VariableSet'],
    ]);
    expect(JSON.stringify(store.events)).not.toContain('hush');
    expect(JSON.parse(store.events[0]!.meta)).toMatchObject({ actor: 'user:ada', at: 1_000 });
  });

  it('refuses to create what exists, and to delete what does not', async () => {
    await admin.setVariable({ key: 'a', value: '1' }, actor);
    expect(await admin.setVariable({ key: 'a', value: '2' }, { ...actor, create: true })).toMatchObject({
      ok: false,
      error: { code: 'conflict' },
    });
    expect(await admin.deleteVariable('b', actor)).toEqual({
      ok: false,
      error: { code: 'not_found', message: "there is no variable 'b'" },
    });
    expect(await admin.deleteVariable('a', actor)).toMatchObject({ ok: true });
    expect(await admin.deleteVariable('a', actor)).toMatchObject({ ok: false });
    expect(await admin.setVariable({ key: 'a', value: '3' }, { ...actor, create: true })).toMatchObject({
      ok: true,
      value: { created: true },
    });
  });

  it('refuses a value that no event could hold', async () => {
    const value = 'x'.repeat(MAX_SECRET_BYTES + 1);
    expect(await admin.setVariable({ key: 'a', value }, actor)).toEqual({
      ok: false,
      error: {
        code: 'invalid',
        message: `variable 'a' has ${MAX_SECRET_BYTES + 1} bytes; at most ${MAX_SECRET_BYTES} are allowed`,
      },
    });
    expect(store.events).toEqual([]);
  });

  it('keeps the password and extras of a connection that are not given again, and removes them on null', async () => {
    await admin.setConnection({ connId: 'c', connType: 'http', host: 'h', password: 'hush', extra: { a: 1 } }, actor);
    await admin.setConnection({ connId: 'c', connType: 'http', host: 'h2' }, actor);
    expect(lastConnection()).toEqual({ connId: 'c', connType: 'http', host: 'h2', password: 'hush', extra: { a: 1 } });
    expect(lastData<object>()).toEqual({
      connId: 'c',
      connType: 'http',
      host: 'h2',
      sealed: expect.anything() as unknown,
    });
    await admin.setConnection({ connId: 'c', connType: 'http', password: null, extra: null }, actor);
    expect(lastConnection()).toEqual({ connId: 'c', connType: 'http' });
  });

  it('decides again when somebody else has written meanwhile', async () => {
    let raced = false;
    const other = memoryEventStore({
      beforeAppend: () => {
        if (raced) return;
        raced = true;
        void other.append([
          {
            stream: 'variable-a',
            expected: 'any',
            events: [{ id: 'x', type: 'VariableDeleted', data: '{"key":"a"}', meta: '{}' }],
          },
        ]);
      },
    });
    const racing = new AdminService({
      eventStore: other,
      secrets: box,
      clock: { now: () => 1, at: () => () => undefined },
      ids: { uuid: () => crypto.randomUUID() },
    });
    expect(await racing.setVariable({ key: 'a', value: '1' }, actor)).toMatchObject({ ok: true });
    await other.close();
  });
});
