import { Controller, Inject } from '@nestjs/common';
import type { DeadLetter, DeadLetters } from '@rondo/ports';
import { actorText } from '../http/actor.ts';
import { defined } from '../http/defined.ts';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { conflict, notFound } from '../http/problem.ts';
import { DEAD_LETTERS } from '../options.ts';
import * as operations from './dead-letters.operations.ts';
import { outlineOf } from './outline.ts';

const MOST_KEY = 200;

@Controller('api/v1')
export class DeadLettersController {
  constructor(@Inject(DEAD_LETTERS) private readonly letters: DeadLetters) {}

  @Route(operations.listDeadLetters)
  async list(@Input() { query }: InputOf<typeof operations.listDeadLetters>) {
    const { items, next = null } = await this.letters.list(defined(query));
    return { items: items.map(viewOf), next };
  }

  @Route(operations.getDeadLetter)
  async get(@Input() { params }: InputOf<typeof operations.getDeadLetter>) {
    const found = await this.letters.find(params.key);
    if (found === undefined) throw notFound(`there is no dead letter ${params.key}`);
    const { letter, head } = found;
    return { ...viewOf(letter), outline: outlineOf(head, head.length < letter.size) };
  }

  @Route(operations.replayDeadLetters)
  async replay(@Input() { body, actor }: InputOf<typeof operations.replayDeadLetters>) {
    const by = actorText(actor);
    if ('all' in body) return { replayed: await this.letters.replayAll(defined({ topic: body.topic }), by) };
    const done = await this.letters.replay(body.ids, by);
    if (done.ok) return { replayed: done.value };
    const { unknown, replayed } = done.error;
    if (unknown.length > 0) throw notFound(`no dead letter has the number ${unknown.join(', ')}: nothing was replayed`);
    throw conflict(`replayed before: ${replayed.join(', ')}; nothing was replayed now`);
  }
}

function viewOf({ replayed, key, ...letter }: DeadLetter) {
  return {
    ...letter,
    key: key.slice(0, MOST_KEY),
    replayedAt: replayed?.at ?? null,
    replayedBy: replayed?.by ?? null,
  };
}
