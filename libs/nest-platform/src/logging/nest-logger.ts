import type { LoggerService } from '@nestjs/common';
import type { Log } from './log.ts';

/** What Nest says of itself, as lines of the service's log. */
export function nestLogger(log: Log): LoggerService {
  const pass =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: unknown, ...more: unknown[]): void => {
      const context = typeof more.at(-1) === 'string' ? { context: more.at(-1) } : {};
      const error = message instanceof Error ? { error: message } : {};
      log[level](message instanceof Error ? message.message : String(message), { ...context, ...error });
    };
  return {
    // How it wires itself is of use to nobody but its authors.
    log: pass('debug'),
    debug: pass('debug'),
    verbose: pass('debug'),
    warn: pass('warn'),
    error: pass('error'),
    fatal: pass('error'),
  };
}
