import type { Position } from '@rondo/ports';

/** An answer and the position of the history that it includes. */
export class Positioned<T> {
  readonly position: Position;
  readonly body: T;
  constructor(position: Position, body: T) {
    this.position = position;
    this.body = body;
  }
}

export const POSITION_HEADER = 'Rondo-Position';
