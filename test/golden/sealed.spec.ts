import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { secretBox } from '@rondo/adapter-embedded';
import { keyIdOf, openEvents, RunBlobs, RunKeyring } from '@rondo/application';
import { prevOf } from '@rondo/contracts';
import type { RecordedEvent } from '@rondo/ports';
import { memoryRunKeys } from '@rondo/testing';

/** What releases have sealed, as it stands in stores. A file is never edited: all of them open for good. */
interface SealedForm {
  readonly about: string;
  readonly secretKey: string;
  readonly dagId: string;
  readonly runId: string;
  readonly keyId: string;
  readonly storedKey: string;
  readonly events: readonly Omit<RecordedEvent, 'position'>[];
  /** Of a large value, base64. */
  readonly blob: string;
  readonly expected: { readonly events: readonly unknown[]; readonly blob: string };
}

const folder = join(import.meta.dirname, 'sealed');
const forms = readdirSync(folder).map(
  (name) => [name, JSON.parse(readFileSync(join(folder, name), 'utf8')) as SealedForm] as const,
);

async function opened(form: SealedForm, secret: Buffer, erase = false) {
  const keys = memoryRunKeys();
  await keys.create(form.keyId, form.storedKey);
  if (erase) await keys.delete(form.keyId);
  const keyring = new RunKeyring(keys, secretBox(secret));
  const events = await openEvents(
    form.events.map((event, at) => ({ position: at + 1, ...event })),
    keyring,
  );
  const blob = await new RunBlobs({ put: undefined!, get: async () => Buffer.from(form.blob, 'base64') }, keyring).get(
    '',
  );
  return { events: events.map(({ data }) => JSON.parse(data) as unknown), blob: Buffer.from(blob!).toString() };
}

describe.each(forms)('values sealed in the form of %s', (_name, form) => {
  const secret = Buffer.from(form.secretKey, 'base64');

  it('open with the key of their run as it is stored', async () => {
    expect(await opened(form, secret)).toEqual(form.expected);
    expect(keyIdOf(form.dagId, form.runId)).toBe(form.keyId);
  });

  it('hold nothing in clear, and are chained as they stand', () => {
    expect(JSON.stringify(form.events)).not.toContain('Ada');
    expect(Buffer.from(form.blob, 'base64').toString('latin1')).not.toContain('Ada');
    expect(form.events.every(({ meta }) => prevOf(meta) !== undefined)).toBe(true);
  });

  it('open neither without the key nor with another secret key', async () => {
    expect(JSON.stringify(await opened(form, secret, true))).not.toContain('Ada');
    await expect(opened(form, Buffer.alloc(32, 1))).rejects.toThrow(/sealed with the key/);
  });
});
