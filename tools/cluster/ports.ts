import { createServer } from 'node:net';

const MOST_TRIED = 200;

/** Free ports of this machine from a first one on, each given once: the same ones each time when nobody else has them. */
export class Ports {
  private next: number;

  constructor(first: number) {
    this.next = first;
  }

  async take(): Promise<number> {
    for (const last = this.next + MOST_TRIED; this.next < last;) {
      const port = this.next++;
      if (await isFree(port)) return port;
    }
    throw new Error(`ports ${this.next - MOST_TRIED} to ${this.next - 1} are all in use: choose others with --ports`);
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
