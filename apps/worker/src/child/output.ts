type Write = NodeJS.WriteStream['write'];

/**
 * Passes what this process prints line by line to `take`, which answers whether it was somebody's; else it goes where it
 * always went. Many waits print into one stream, and each into its own log.
 */
export function captureOutput(take: (stream: 'stdout' | 'stderr', line: string) => boolean): void {
  for (const name of ['stdout', 'stderr'] as const) {
    const stream = process[name];
    const write = stream.write.bind(stream) as Write;
    stream.write = ((chunk: string | Uint8Array, ...rest: unknown[]) => {
      const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
      const lines = text.replace(/\n$/, '').split('\n');
      if (!lines.map((line) => take(name, line)).includes(true))
        return (write as (...args: unknown[]) => boolean)(chunk, ...rest);
      const done = rest.find((each) => typeof each === 'function') as (() => void) | undefined;
      if (done !== undefined) process.nextTick(done);
      return true;
    }) as Write;
  }
}
