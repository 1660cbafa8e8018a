/** What keeps large XComs: a backend of the SDK, or the platform's blob store. */
export interface LargeValues {
  put(bytes: Uint8Array, about: LargeValueAbout): Promise<string>;
  get(reference: string): Promise<Uint8Array | undefined>;
}

export interface LargeValueAbout {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: string;
  readonly tryNumber: number;
  readonly key: string;
  readonly bytes: number;
}

export interface XComBackendFixture {
  readonly backend: LargeValues;
  /** The same values, seen from another process. */
  readonly other: LargeValues;
  /** A reference that the backend could have given and has not. */
  readonly unknown: string;
  readonly dispose: () => Promise<void>;
}

const about = (bytes: Uint8Array, tryNumber = 1): LargeValueAbout => ({
  dagId: 'd',
  runId: 'manual__2026-01-01T00:00:00+00:00',
  taskId: 'group.task',
  mapIndex: '2.5',
  tryNumber,
  key: 'a key/with ../ what a name may hold',
  bytes: bytes.length,
});

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The rules of a backend of XComs. */
export function describeXComBackendContract(name: string, factory: () => Promise<XComBackendFixture>): void {
  describe(`${name}: XCom backend`, () => {
    let fixture: XComBackendFixture;
    beforeEach(async () => {
      fixture = await factory();
    });
    afterEach(() => fixture.dispose());

    it('gives the bytes back, to another process too', async () => {
      const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 31) % 256);
      const reference = await fixture.backend.put(bytes, about(bytes));
      expect(Buffer.from((await fixture.backend.get(reference))!)).toEqual(Buffer.from(bytes));
      expect(Buffer.from((await fixture.other.get(reference))!)).toEqual(Buffer.from(bytes));
    });

    it('answers a reference that fits into an event', async () => {
      const reference = await fixture.backend.put(bytesOf('x'), about(bytesOf('x')));
      expect(reference.length).toBeGreaterThan(0);
      expect(reference.length).toBeLessThanOrEqual(1_000);
    });

    it('keeps what an earlier try has pushed', async () => {
      const [first, second] = [bytesOf('first'), bytesOf('second')];
      const of = [
        await fixture.backend.put(first, about(first)),
        await fixture.backend.put(second, about(second, 2)),
        await fixture.other.put(second, about(second)),
      ];
      const found = await Promise.all(of.map((reference) => fixture.backend.get(reference)));
      expect(found.map((bytes) => Buffer.from(bytes!).toString())).toEqual(['first', 'second', 'second']);
    });

    it('takes the same bytes from many at once', async () => {
      const bytes = bytesOf('same'.repeat(10_000));
      const of = await Promise.all(Array.from({ length: 8 }, () => fixture.backend.put(bytes, about(bytes))));
      for (const reference of of)
        expect(Buffer.from((await fixture.other.get(reference))!)).toEqual(Buffer.from(bytes));
    });

    it('answers undefined for what it does not have', async () => {
      expect(await fixture.backend.get(fixture.unknown)).toBeUndefined();
    });
  });
}
