import { Operator } from '@rondo/sdk';
import * as z from 'zod';

const nothing = z.strictObject({});

/** Does nothing: a place for arrows to meet. Without callbacks and outlets of its own it is decided without a process. */
export class EmptyOperator extends Operator<object, void> {
  static override readonly schema = nothing;

  override get runs(): 'child' | 'empty' {
    const { outlets = [] } = this.attributes;
    const needsChild =
      outlets.length > 0 || this.callbacksOf('onExecute').length > 0 || this.callbacksOf('onSuccess').length > 0;
    return needsChild ? 'child' : 'empty';
  }

  execute(): void {}
}

/** Skips what is directly after it in a scheduled run that is not the latest. A manual run always goes on. */
export class LatestOnlyOperator extends Operator<object, void> {
  static override readonly schema = nothing;

  override get runs(): 'latest_only' {
    return 'latest_only';
  }

  execute(): void {}
}
