import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { status, type ServerWritableStream } from '@grpc/grpc-js';
import type { BundleStore } from '@rondo/ports';

export interface BundleRequest {
  readonly hash: string;
}

export interface BundleChunk {
  readonly path: string;
  readonly data: Uint8Array;
  readonly last: boolean;
  readonly sha256: string;
}

const CHUNK = 256 * 1024;

/** Sends the files of a bundle as fast as they are taken. */
export async function sendBundle(
  bundles: BundleStore,
  call: ServerWritableStream<BundleRequest, BundleChunk>,
): Promise<void> {
  const gone = new AbortController();
  call.on('cancelled', () => gone.abort());
  const { hash } = call.request;
  try {
    const manifest = await bundles.getManifest(hash);
    if (manifest === undefined) return refuse(call, status.NOT_FOUND, `there is no bundle '${hash}'`);
    for (const [path, sha256] of Object.entries(manifest.files)) {
      const bytes = await bundles.readFile(hash, path);
      if (bytes === undefined) return refuse(call, status.DATA_LOSS, `file '${path}' of bundle '${hash}' is gone`);
      for (const chunk of chunksOf(path, bytes, sha256))
        if (!call.write(chunk)) await once(call, 'drain', { signal: gone.signal });
    }
    call.end();
  } catch (error) {
    if (!gone.signal.aborted) refuse(call, status.INTERNAL, `bundle '${hash}': ${(error as Error).message}`);
  }
}

function* chunksOf(path: string, bytes: Uint8Array, sha256: string): Generator<BundleChunk> {
  for (let from = 0; ; from += CHUNK) {
    const last = from + CHUNK >= bytes.length;
    yield { path, data: bytes.subarray(from, from + CHUNK), last, sha256: last ? sha256 : '' };
    if (last) return;
  }
}

function refuse(call: ServerWritableStream<BundleRequest, BundleChunk>, code: status, details: string): void {
  call.emit('error', { code, details });
}

/** Puts the files of a bundle together. Throws when one is not what its hash says. */
export class BundleFiles {
  readonly files = new Map<string, Uint8Array>();
  private parts: Uint8Array[] = [];

  add({ path, data, last, sha256 }: BundleChunk): void {
    this.parts.push(data);
    if (!last) return;
    const bytes = Buffer.concat(this.parts);
    this.parts = [];
    if (createHash('sha256').update(bytes).digest('hex') !== sha256)
      throw new Error(`file '${path}' of the bundle is damaged: its bytes do not match their hash`);
    this.files.set(path, bytes);
  }
}
