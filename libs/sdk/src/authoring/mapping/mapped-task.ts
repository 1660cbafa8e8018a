import { within } from '../scope.ts';
import { Task, type Construction } from '../task.ts';
import type { TaskContext } from '../../runtime/task-context.ts';
import type { Mapping } from './mapping.ts';

/** What the instances of a mapped task are. */
export interface InstanceKind {
  /** A task of the kind, or its prototype: its name, and which of its fields are templates. */
  readonly example: Pick<Task, 'operator' | 'runs' | 'templateFields' | 'templateExtensions'>;
  /** The task of one instance, with the arguments that the mapping gives it. */
  readonly make: (mapped: Readonly<Record<string, unknown>>) => Task;
  /** Why a mapping may not give an argument of this name; undefined: it may. */
  readonly unmappable: (name: string) => string | undefined;
}

/** A task with an instance for each item of what it is mapped over. Its output is the list of what they return, in order. */
export class MappedTask<out Item = unknown> extends Task<readonly Item[]> {
  readonly #kind: InstanceKind;

  constructor(
    options: Readonly<Record<string, unknown>>,
    kind: InstanceKind,
    construction: Construction & { readonly mapping: Mapping },
  ) {
    super(options, construction);
    this.#kind = kind;
  }

  override get operator(): string {
    return this.#kind.example.operator;
  }

  override get runs() {
    return this.#kind.example.runs;
  }

  override get templateFields(): readonly string[] {
    return this.#kind.example.templateFields;
  }

  override get templateExtensions(): readonly string[] {
    return this.#kind.example.templateExtensions;
  }

  override run(_ctx: TaskContext): never {
    throw new Error(`task '${this.taskId}' is mapped: its instances run`);
  }

  unmappable(name: string): string | undefined {
    return this.#kind.unmappable(name);
  }

  /** The task of one instance. Throws a DagError for arguments that the operator does not take. */
  instance(mapped: Readonly<Record<string, unknown>>): Task {
    return within({ dag: this.dag, group: this.group, apart: this.taskId }, () => this.#kind.make(mapped));
  }
}
