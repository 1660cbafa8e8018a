import { writeSync } from 'node:fs';
import { Socket, type SocketConstructorOpts } from 'node:net';
import { FrameReader } from './frames.ts';

const FD = 3;
const pause = new Int32Array(new SharedArrayBuffer(4));

/**
 * The child's end of descriptor 3. Writing is synchronous: a frame has left the process when `send` returns, so that
 * neither `process.exit()` nor a crash loses it, and a flood of frames slows its own sender down.
 */
export class Channel {
  readonly #onEnd: () => void;

  /** `onEnd`: the worker is gone. */
  constructor(onFrame: (frame: string) => void, onEnd: () => void) {
    this.#onEnd = onEnd;
    const reader = new FrameReader(onFrame);
    const callback = (size: number, bytes: Uint8Array) => {
      reader.push(Buffer.from(bytes.buffer, bytes.byteOffset, size));
      return true;
    };
    const options: SocketConstructorOpts = { fd: FD, onread: { buffer: Buffer.allocUnsafe(65_536), callback } };
    const socket = new Socket(options);
    socket.on('close', onEnd);
    socket.on('error', onEnd);
    socket.resume();
  }

  send(kind: string, json: string): void {
    const frame = `${kind}${json}\n`;
    const written = this.#write(frame);
    if (written === Buffer.byteLength(frame)) return;
    const bytes = Buffer.from(frame);
    for (let from = written; from < bytes.length;) {
      const more = this.#write(bytes.subarray(from));
      // The worker is busy: its buffer is full.
      if (more === 0) Atomics.wait(pause, 0, 0, 1);
      from += more;
    }
  }

  #write(data: string | Buffer): number {
    try {
      return typeof data === 'string' ? writeSync(FD, data) : writeSync(FD, data);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE' || code === 'ECONNRESET') this.#onEnd();
      else if (code !== 'EAGAIN') throw error;
      return 0;
    }
  }
}
