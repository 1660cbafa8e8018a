import type { Actor } from '@rondo/contracts';
import { ok, type Result } from '@rondo/kernel';

export type Action = 'read' | 'trigger' | 'control' | 'administer';

/** What an action is done to. */
export interface Resource {
  readonly kind: string;
  readonly dagId?: string;
  readonly runId?: string;
  readonly taskId?: string;
  readonly key?: string;
  readonly connId?: string;
}

/** May the actor do this? A refusal says why not. */
export type Authorize = (actor: Actor, action: Action, resource: Resource) => Result<void>;

/** Whoever has come through the door may do everything (I17). */
export const authorize: Authorize = (_actor, _action, _resource) => ok(undefined);
