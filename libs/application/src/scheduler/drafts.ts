import type { CommandAnswer, CommandMessage, RefusalCode } from '@rondo/contracts';
import type { JsonObject } from '@rondo/kernel';
import type { Cause } from './envelope.ts';

/** An answer before its position is known: it is sent when the batch's events are durable. */
export type Draft = { readonly ok: true; readonly result: JsonObject } | Extract<CommandAnswer, { ok: false }>;

export const refuse = (code: RefusalCode, message: string): Draft => ({ ok: false, code, message });
export const accept = (result: JsonObject): Draft => ({ ok: true, result });

export function causeOf(message: CommandMessage): Cause {
  return { causationId: message.commandId, actor: `${message.actor.kind}:${message.actor.name}` };
}
