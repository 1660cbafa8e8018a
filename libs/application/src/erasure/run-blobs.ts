import type { BlobStore } from '@rondo/ports';
import type { RunKeyring } from './keyring.ts';
import { ERASED, keyIdOf, openBytes, sealBytes } from './tokens.ts';

/** How sealed bytes begin: no JSON does. The id of the key follows. */
const HEAD = Buffer.from('RONDO-SEALED-1 ');
const ID_CHARS = 32;
const BODY = HEAD.length + ID_CHARS + 1;

/** Large values of runs: sealed before any store has their bytes, where their run is (I14). */
export class RunBlobs {
  private readonly blobs: BlobStore;
  private readonly keyring: RunKeyring | undefined;

  /** Without keys: nothing is sealed. */
  constructor(blobs: BlobStore, keyring?: RunKeyring) {
    this.blobs = blobs;
    this.keyring = keyring;
  }

  async put(dagId: string, runId: string, bytes: Uint8Array): Promise<string> {
    return this.blobs.put(await this.seal(dagId, runId, bytes));
  }

  /** Of a run that is erased: the JSON that says so. */
  async get(hash: string): Promise<Uint8Array | undefined> {
    const bytes = await this.blobs.get(hash);
    return bytes === undefined ? undefined : this.open(bytes);
  }

  async seal(dagId: string, runId: string, bytes: Uint8Array): Promise<Uint8Array> {
    const id = keyIdOf(dagId, runId);
    const key = await this.keyring?.find(id);
    if (key === undefined) return bytes;
    if (key === 'erased') throw new Error(`run '${runId}' of DAG '${dagId}' is erased: it takes no values`);
    return Buffer.concat([HEAD, Buffer.from(`${id}\n`), sealBytes(key, id, bytes)]);
  }

  async open(bytes: Uint8Array): Promise<Uint8Array> {
    const held = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (!held.subarray(0, HEAD.length).equals(HEAD)) return bytes;
    const id = held.toString('latin1', HEAD.length, HEAD.length + ID_CHARS);
    const key = await this.keyring?.find(id);
    const plain = key instanceof Uint8Array ? openBytes(key, id, held.subarray(BODY)) : undefined;
    return plain ?? Buffer.from(JSON.stringify(ERASED));
  }
}
