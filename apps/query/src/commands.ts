import { Inject, Injectable } from '@nestjs/common';
import type { Actor, CommandBus, DagCommand } from '@rondo/contracts';
import type { JsonObject } from '@rondo/kernel';
import type { Position, ReadModels } from '@rondo/ports';
import { refused } from './http/problem.ts';
import { COMMANDS, READ_MODELS } from './options.ts';

export interface Accepted {
  readonly position: Position;
  readonly result: JsonObject;
}

/** Sends commands to the owner of a DAG; a refusal becomes a problem. */
@Injectable()
export class Commands {
  constructor(
    @Inject(COMMANDS) private readonly bus: CommandBus,
    @Inject(READ_MODELS) private readonly readModels: ReadModels,
  ) {}

  async send(dagId: string, actor: Actor, command: DagCommand): Promise<Accepted> {
    const answer = await this.bus.send({ dagId, actor, command });
    if (!answer.ok) throw refused(answer);
    return { position: answer.position, result: answer.result };
  }

  /** As `send`, and waits until the read models include what followed: whoever asked reads their own write. */
  async sendAndSettle(dagId: string, actor: Actor, command: DagCommand): Promise<Accepted> {
    const accepted = await this.send(dagId, actor, command);
    await this.readModels.settled(accepted.position);
    return accepted;
  }
}
