import { createHash, timingSafeEqual } from 'node:crypto';
import type { Actor } from '@rondo/contracts';
import type { NextFunction, Response } from 'express';
import type { AdmittedRequest } from './operation.ts';
import { POSITION_HEADER } from './position.ts';
import { HttpProblem } from './problem.ts';

export interface DoorOptions {
  /** Asked of everybody who does not come from this machine. Without one nobody else is let in. */
  readonly token?: string;
  /** Names under which the API may be addressed beside `localhost` and the loopback addresses; without a port. */
  readonly hosts?: readonly string[];
  /** Origins of pages that may use the API beside the API's own: `https://example.org`. */
  readonly origins?: readonly string[];
}

/** What a page of an allowed origin may send; a browser asks before it does. */
const PREFLIGHT = {
  'Access-Control-Allow-Methods': 'GET, POST, PUT, PATCH, DELETE',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, Idempotency-Key, Last-Event-ID',
  'Access-Control-Max-Age': '600',
};

const LOOPBACK_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * I17. A page of another site must not reach the API through a visitor's browser: neither under a name of its own that
 * points here (Host), nor by a request across sites (Origin). This machine needs no token; everybody else does.
 */
export function door(options: DoorOptions): (request: AdmittedRequest, response: Response, next: NextFunction) => void {
  const hosts = new Set([...LOOPBACK_NAMES, ...(options.hosts ?? []).map((host) => host.toLowerCase())]);
  const origins = new Set(options.origins);
  const admit = doorkeeper(options);
  return (request, response, next) => {
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Cache-Control', 'no-store');
    const host = request.headers.host ?? '';
    const name = nameOf(host);
    if (!hosts.has(name))
      throw new HttpProblem(
        403,
        'Wrong host',
        `Host '${host}' is not a name of this platform: ${[...hosts].join(', ')}`,
      );
    const { origin } = request.headers;
    if (origin !== undefined && !origins.has(origin) && !isSameSite(origin, host))
      throw new HttpProblem(
        403,
        'Wrong origin',
        `Origin '${origin}' may not use the API; allowed: its own${[...origins].map((each) => `, ${each}`).join('')}`,
      );
    if (origin !== undefined && origins.has(origin)) {
      response.setHeader('Access-Control-Allow-Origin', origin);
      response.setHeader('Vary', 'Origin');
      response.setHeader('Access-Control-Expose-Headers', POSITION_HEADER);
      if (request.method === 'OPTIONS') {
        response.set(PREFLIGHT).status(204).end();
        return;
      }
    }
    request.rondoActor = admit({
      authorization: request.headers.authorization,
      address: request.socket.remoteAddress,
      host,
      forwarded: request.headers['x-forwarded-for'] !== undefined || request.headers.forwarded !== undefined,
    });
    next();
  };
}

/** Who knocks, by whatever protocol. */
export interface Caller {
  readonly authorization: string | undefined;
  /** Where the connection comes from. */
  readonly address: string | undefined;
  /** The name by which the API was addressed, with its port. */
  readonly host: string;
  /** A proxy passes it on. */
  readonly forwarded: boolean;
}

/** Tells who the caller is. Throws a problem when nobody may come in so. */
export function doorkeeper({ token }: DoorOptions): (caller: Caller) => Actor {
  const expected = token === undefined ? undefined : digest(token);
  return (caller) => {
    const given = /^Bearer (.+)$/i.exec(caller.authorization ?? '')?.[1];
    if (given !== undefined && expected !== undefined && timingSafeEqual(digest(given), expected))
      return { kind: 'user', name: 'token' };
    if (given === undefined && isLocal(caller)) return { kind: 'user', name: 'local' };
    throw unauthorized(
      given === undefined
        ? 'a bearer token is needed from anywhere but this machine'
        : 'the bearer token is not the right one',
    );
  };
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

function isSameSite(origin: string, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}

/** Straight from this machine: what a proxy passes on comes from elsewhere. */
function isLocal({ address = '', host, forwarded }: Caller): boolean {
  const loopback = address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
  return loopback && LOOPBACK_NAMES.has(nameOf(host)) && !forwarded;
}

/** Without its port. */
const nameOf = (host: string): string => host.replace(/:\d+$/, '').toLowerCase();

function unauthorized(detail: string): HttpProblem {
  return new HttpProblem(401, 'Not authorised', detail, { headers: { 'WWW-Authenticate': 'Bearer' } });
}
