/** Content-addressed bytes: definitions, bundles' files, large XComs. Writing the same bytes twice is one blob. */
export interface BlobStore {
  /** Durable when it resolves. Answers the lower-case hex SHA-256. */
  put(bytes: Uint8Array): Promise<string>;
  /** Undefined when there is none; throws when the bytes do not match the hash. */
  get(hash: string): Promise<Uint8Array | undefined>;
}

/** A bundle: the DAG file, what it imports from the folder, and the files it names. Path (with `/`) → blob hash. */
export interface BundleManifest {
  readonly files: Readonly<Record<string, string>>;
}

export interface BundleStore {
  /** Stores the files and the manifest; answers the bundle's hash (of the manifest with sorted keys). */
  putBundle(files: ReadonlyMap<string, Uint8Array>): Promise<string>;
  getManifest(hash: string): Promise<BundleManifest | undefined>;
  readFile(hash: string, path: string): Promise<Uint8Array | undefined>;
  /** A local read-only folder that holds exactly the bundle; made at the first call, kept after it. */
  materialise(hash: string): Promise<string>;
}
