import type { Metrics } from '@rondo/nest-platform/service';
import type { NextFunction, Request, Response } from 'express';

/** Times the requests of the API, by their method and the status of their answer. Streams of events count when they end. */
export function meterRequests(metrics: Metrics): (request: Request, response: Response, next: NextFunction) => void {
  const took = metrics.seconds('rondo_api_request_seconds', 'How long requests take until they are answered.');
  return (request, response, next) => {
    const begin = performance.now();
    response.once('close', () =>
      took((performance.now() - begin) / 1_000, { method: request.method, code: String(response.statusCode) }),
    );
    next();
  };
}
