import { ApiUnderTest } from './api-kit.ts';

describe('events from outside over HTTP', () => {
  let api: ApiUnderTest;
  beforeAll(async () => {
    api = await ApiUnderTest.start();
  });
  afterAll(() => api.stop());
  const send = (body: unknown, type = 'application/json') =>
    api.call('POST', '/events', { body, headers: { 'content-type': type } });
  const event = (id: string, more: object = {}) => ({ specversion: '1.0', id, source: '/s', type: 'paid', ...more });

  it('are taken one by one and in lists, a repeat once', async () => {
    const one = await send(event('1', { subject: 'x', data: { n: 1 } }), 'application/cloudevents+json');
    expect(one).toMatchObject({ status: 200, body: { events: [{ id: '1', source: '/s', type: 'paid' }] } });
    const many = await send([event('1'), event('2')], 'application/cloudevents-batch+json');
    const [repeat, second] = (many.body as { events: { position: number }[] }).events;
    expect(repeat).toEqual((one.body as { events: unknown[] }).events[0]);
    expect(Number(many.headers.get('rondo-position'))).toBe(second!.position);
    const listed = await api.get('/events/received');
    expect(listed.body).toMatchObject({
      types: [{ type: 'paid', events: 2 }],
      items: [
        { position: second!.position, event: { id: '2' } },
        { event: { id: '1', source: '/s', type: 'paid', subject: 'x', data: { n: 1 } } },
      ],
    });
  });

  it('are listed by type, so many', async () => {
    await send([event('1', { type: 'sent' }), event('2', { type: 'sent' }), event('3', { type: 'other' })]);
    expect((await api.get('/events/received?type=sent&limit=1')).body).toMatchObject({
      types: [{ type: 'sent', events: 2 }],
      items: [{ event: { id: '2' } }],
    });
    expect((await api.get('/events/received?type=none')).body).toEqual({ types: [], items: [] });
  });

  it('are refused with each attribute that is wrong, all of a list together', async () => {
    const refused = await send([event('9', { type: 'late' }), { id: 'x', source: 7, type: 'late', time: 'now' }]);
    expect(refused.status).toBe(400);
    expect((refused.body as { errors: { name: string; message: string }[] }).errors).toEqual([
      expect.objectContaining({ in: 'body', name: '1.source', value: 7 }),
      expect.objectContaining({
        name: '1.time',
        message: '"now" is not allowed: an RFC 3339 time such as 2026-03-14T07:30:00Z',
      }),
    ]);
    expect((await api.get('/events/received?type=late')).body).toEqual({ types: [], items: [] });
    expect((await send([])).body).toMatchObject({ errors: [{ message: '0 events; allowed: 1 to 1000' }] });
    expect((await send('"text"')).status).toBe(400);
  });
});
