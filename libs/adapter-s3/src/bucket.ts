import { createHash } from 'node:crypto';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { StoreUnavailableError } from '@rondo/ports';

export interface BucketOptions {
  readonly bucket: string;
  /** What every key begins with, such as `rondo/`. Default: nothing. */
  readonly prefix?: string;
  /** `https://host:port` of a server other than Amazon's. */
  readonly endpoint?: string;
  /** Default: as the SDK finds it (AWS_REGION, profile), else us-east-1 where an endpoint is named. */
  readonly region?: string;
  /** The bucket in the path instead of the host name. Default: true where an endpoint is named. */
  readonly pathStyle?: boolean;
  /** Default: the SDK's chain: environment, profile, web identity, the machine's role. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Attempts of one request before it is given up. Default 5. */
  readonly attempts?: number;
}

/** Objects of one bucket under one prefix. What the network or the server fails at is a StoreUnavailableError. */
export class Bucket {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor({ bucket, prefix = '', endpoint, region, pathStyle, credentials, attempts = 5 }: BucketOptions) {
    this.#bucket = bucket;
    this.#prefix = prefix;
    const place = region ?? (endpoint === undefined ? undefined : 'us-east-1');
    this.#client = new S3Client({
      maxAttempts: attempts,
      forcePathStyle: pathStyle ?? endpoint !== undefined,
      // Other servers than Amazon's do not all know the checksums that are added unasked.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(place === undefined ? {} : { region: place }),
      ...(credentials === undefined ? {} : { credentials }),
    });
  }

  async check(): Promise<void> {
    try {
      await this.#asked('', () => this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket })));
    } catch (error) {
      throw statusOf(error) === 404 ? this.#noBucket(error) : error;
    }
  }

  /** Durable when it resolves; the server checks the bytes against their hash. */
  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#asked(key, () => this.#client.send(new PutObjectCommand(this.#object(key, bytes))));
  }

  /** False: there is an object of that key already, which stays as it is. */
  async putNew(key: string, bytes: Uint8Array): Promise<boolean> {
    const command = new PutObjectCommand({ ...this.#object(key, bytes), IfNoneMatch: '*' });
    for (;;)
      try {
        await this.#asked(key, () => this.#client.send(command));
        return true;
      } catch (error) {
        if (statusOf(error) === 412) return false;
        // Somebody else is writing it at this moment: who has won is told by the next answer.
        if (statusOf(error) !== 409) throw error;
      }
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#asked(key, async () => {
        const answer = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + key }));
        return Buffer.from(await answer.Body!.transformToByteArray());
      });
    } catch (error) {
      if (isNoObject(error)) return undefined;
      throw error;
    }
  }

  async sizeOf(key: string): Promise<number | undefined> {
    const command = new HeadObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + key });
    try {
      return (await this.#asked(key, () => this.#client.send(command))).ContentLength;
    } catch (error) {
      // A question for the head alone is not told what is missing; a missing bucket is found by the write that follows.
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  /** Keys that begin so, after a key, in order. */
  async *list(start: string, after?: string): AsyncGenerator<string> {
    let token: string | undefined;
    do {
      const command: ListObjectsV2Command = new ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: this.#prefix + start,
        ...(token === undefined ? {} : { ContinuationToken: token }),
        ...(after === undefined ? {} : { StartAfter: this.#prefix + after }),
      });
      const page = await this.#asked(start, () => this.#client.send(command));
      for (const { Key } of page.Contents ?? []) yield Key!.slice(this.#prefix.length);
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  /** Removes all objects whose key begins so. */
  async removeAll(start: string): Promise<void> {
    const keys = await Array.fromAsync(this.list(start));
    for (let at = 0; at < keys.length; at += 1_000) {
      const Objects = keys.slice(at, at + 1_000).map((key) => ({ Key: this.#prefix + key }));
      const command = new DeleteObjectsCommand({ Bucket: this.#bucket, Delete: { Objects, Quiet: true } });
      const [failed] = (await this.#asked(start, () => this.#client.send(command))).Errors ?? [];
      if (failed !== undefined) throw new Error(`${failed.Key} cannot be removed: ${failed.Message ?? failed.Code}`);
    }
  }

  close(): void {
    this.#client.destroy();
  }

  #object(key: string, bytes: Uint8Array) {
    return {
      Bucket: this.#bucket,
      Key: this.#prefix + key,
      Body: bytes,
      ContentLength: bytes.length,
      ChecksumSHA256: createHash('sha256').update(bytes).digest('base64'),
    };
  }

  #noBucket(cause: unknown): Error {
    return new Error(`there is no bucket '${this.#bucket}': make it, or name another`, { cause });
  }

  async #asked<T>(key: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      const status = statusOf(error);
      const where = `s3://${this.#bucket}/${this.#prefix}${key}`;
      if (error instanceof Error && error.name === 'NoSuchBucket') throw this.#noBucket(error);
      if (status === 403) throw new Error(`${where}: access denied: ${(error as Error).message}`, { cause: error });
      if (status !== undefined && status < 500 && status !== 429) throw error;
      if (isWrongSetting(error)) throw error;
      throw new StoreUnavailableError(`${where}: the object store does not answer: ${String(error)}`, {
        retryable: true,
        cause: error,
      });
    }
  }
}

/** The HTTP status of what the server refused; undefined for what never got an answer. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

const isNoObject = (error: unknown): boolean => error instanceof S3ServiceException && error.name === 'NoSuchKey';

const isWrongSetting = (error: unknown): boolean =>
  error instanceof Error && /CredentialsProviderError|Region is missing/.test(`${error.name} ${error.message}`);
