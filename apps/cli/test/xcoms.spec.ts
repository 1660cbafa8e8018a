import { FakeApi, rondo, rowsOf } from './fake-api.ts';

let api: FakeApi;
beforeEach(async () => {
  api = await FakeApi.start();
});
afterEach(() => api.stop());

const call = (...args: string[]) => rondo([...args, '--url', api.url]);
const xcom = { dagId: 'd', runId: 'r', taskId: 'a', mapIndex: '', key: 'return_value', value: { n: 1 }, blob: null };

describe('xcoms', () => {
  it('are listed, large ones without their value', async () => {
    const large = { ...xcom, mapIndex: '3', key: 'big', value: null, blob: 'ab' };
    api.on('GET /dags/d/runs/r/xcoms', { body: { items: [xcom, large], total: 2 } });
    expect(rowsOf((await call('xcoms', 'list', 'd', 'r')).out)).toEqual([
      ['a', 'return_value', '{"n":1}'],
      ['a[3]', 'big', '(large: xcoms get shows it)'],
    ]);
    await call('xcoms', 'list', 'd', 'r', 'a');
    expect(api.received.at(-1)?.query).toMatchObject({ taskId: 'a' });
  });

  it('are printed as JSON', async () => {
    api.on('GET /dags/d/runs/r/tasks/a/xcoms/return_value', { body: xcom });
    expect(JSON.parse((await call('xcoms', 'get', 'd', 'r', 'a')).out)).toEqual({ n: 1 });
    await call('xcoms', 'get', 'd', 'r', 'a', '--map-index', '2');
    expect(api.received.at(-1)?.query).toEqual({ mapIndex: '2' });
  });

  it('are set and deleted, of an instance too', async () => {
    const route = '/dags/d/runs/r/tasks/a/xcoms/k';
    api.on(`PUT ${route}`, { body: { ...xcom, key: 'k' } }).on(`DELETE ${route}`, { status: 204 });
    expect((await call('xcoms', 'set', 'd', 'r', 'a', 'k', '[1]', '--map-index', '2')).out).toBe(
      'XCom k of a is set\n',
    );
    expect(api.received.at(-1)).toMatchObject({ body: { value: [1] }, query: { mapIndex: '2' } });
    expect(await call('xcoms', 'set', 'd', 'r', 'a', 'k', 'no json')).toMatchObject({ code: 2 });
    expect((await call('xcoms', 'delete', 'd', 'r', 'a', 'k')).out).toBe('XCom k of a is deleted\n');
  });
});
