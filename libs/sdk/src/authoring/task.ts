import type { TaskCallback } from '@rondo/domain';
import type { TaskContext } from '../runtime/task-context.ts';
import * as z from 'zod';
import {
  attributesSchema,
  idSchema,
  problems,
  TASK_KEYS,
  unknownKeys,
  type Callback,
  type CheckedAttributes,
  type TaskAttributes,
} from './attributes.ts';
import { callSite, type CallSite } from './call-site.ts';
import type { Dag } from './dag.ts';
import { DagError, show } from './error.ts';
import { paramDefinitions } from './params.ts';
import { growthProblem } from './retry-policy.ts';
import { arrow, NODE, type Chain, type Linkable, type Node } from './relations.ts';
import { currentScope, openScopes } from './scope.ts';
import type { Mapping } from './mapping/mapping.ts';
import {
  Derived,
  lists,
  mapped,
  Output,
  SOURCE,
  tasksBehind,
  zipped,
  type FilledSides,
  type Item,
  type Listable,
  type Path,
  type Side,
  type Sides,
  type Source,
  type SourceRef,
} from './source.ts';
import type { TaskGroup } from './task-group.ts';
import type { TriggerClass } from './trigger.ts';

export interface TaskOptions extends TaskAttributes {
  /** Unique in its DAG; inside a group the group's id and a dot come before it. */
  readonly id: string;
  /** Default: the DAG whose definition is running. */
  readonly dag?: Dag;
  /** Default: the group whose definition is running. */
  readonly group?: TaskGroup;
  /** Runs when the task has failed for good, and stands for it when it succeeds. A task or group beside it, or its id. */
  readonly fallback?: Linkable;
}

export interface Construction {
  /** Checks the operator's own arguments. */
  readonly schema?: z.ZodType | undefined;
  /** True: an id that is taken gets `__1`, `__2`, … Default false: it is refused. */
  readonly suffixOnCollision?: boolean;
  /** Attributes that are neither a task's nor the operator's arguments: the subclass checks them. Default none. */
  readonly ownKeys?: ReadonlySet<string>;
  /** Default: the author's line on the stack. */
  readonly at?: CallSite | undefined;
  /** What the task is mapped over: the arguments that it gives may be missing among the options. */
  readonly mapping?: Mapping | undefined;
}

/** What is mapped over a part of what a task returns. */
export interface Feed {
  readonly path: Path;
  /** The task or group. */
  readonly by: string;
}

const STRUCTURE: ReadonlySet<string> = new Set(['id', 'dag', 'group', 'fallback']);

/** A node of a DAG, of any kind of operator. Its return value can be given to other tasks. */
export abstract class Task<out Out = unknown> implements Node, Source<Out> {
  readonly [NODE] = true as const;
  readonly dag: Dag;
  readonly group: TaskGroup | undefined;
  /** With the prefixes of its groups. */
  readonly taskId: string;
  readonly attributes: CheckedAttributes;
  readonly params: ReturnType<typeof paramsOf>;
  readonly at: CallSite | undefined;
  /** Direct upstream task ids, complete once the DAG is. */
  readonly upstream = new Set<string>();
  /** Task ids whose return values are among the arguments. */
  readonly inputs: readonly string[];
  readonly fallback: Linkable | undefined;
  setup = false;
  teardown: { readonly onFailureFailDagrun: boolean } | undefined;
  /** The operator's own arguments as they were given. */
  readonly given: Readonly<Record<string, unknown>>;
  readonly mapping: Mapping | undefined;
  /** Paths in the return value that something is mapped over, complete once the DAG is. */
  readonly feeds = new Map<string, Feed>();

  constructor(
    options: Readonly<Record<string, unknown>>,
    { schema, suffixOnCollision = false, ownKeys = new Set(), at = callSite(), mapping }: Construction = {},
  ) {
    const { dag, group } = home(options, at);
    const apart = currentScope()?.apart;
    this.dag = dag;
    this.group = group;
    this.at = at;
    this.taskId = apart ?? claimId(options['id'], dag, group, suffixOnCollision, at);
    this.mapping = mapping;
    this.attributes = this.checkAttributes(options);
    this.fallback = (options as Partial<TaskOptions>).fallback;
    this.given = this.checkArguments(options, { schema, ownKeys, mapping });
    this.params = paramsOf(this.attributes.params, (reason) => this.refuse(reason));
    const sources = tasksBehind([...Object.values(this.given), ...(mapping?.over ?? []).map(({ list }) => list)]);
    this.inputs = Array.from(sources, ({ taskId }) => taskId);
    for (const source of sources) this.takes(source);
    if (apart !== undefined) return;
    dag.add(this);
    for (const scope of openScopes()) scope.onTask?.(this);
  }

  /** The operator's name, shown to people. */
  get operator(): string {
    return this.constructor.name;
  }

  get runs(): 'child' | 'empty' | 'latest_only' {
    return 'child';
  }

  get templateFields(): readonly string[] {
    return [];
  }

  get templateExtensions(): readonly string[] {
    return [];
  }

  /** What people see of its arguments. */
  get shown(): Readonly<Record<string, unknown>> {
    return this.given;
  }

  get triggerRule() {
    return this.attributes.triggerRule ?? (this.teardown === undefined ? 'all_success' : 'all_done_setup_success');
  }

  get [SOURCE](): SourceRef<Out> {
    return { kind: 'output', task: this, path: [] };
  }

  /** What the task returns, to be given to other tasks. */
  get output(): Output<Out> {
    return new Output<Out>({ kind: 'output', task: this, path: [] });
  }

  /** A part of what the task returns. */
  get<K extends keyof Out & (string | number)>(key: K): Output<Out[K]> {
    return this.output.get(key);
  }

  /** See `ListSource`, as the three that follow. */
  map<U, R>(this: Source<U>, fn: (item: Item<U>) => R): Derived<R> {
    return mapped(this, fn);
  }

  zip<U, const L extends readonly Listable[]>(this: Source<U>, ...others: L): Derived<readonly [Item<U>, ...Sides<L>]>;
  zip<U, const L extends readonly Listable[], F>(
    this: Source<U>,
    ...others: [...L, { readonly fillvalue: F }]
  ): Derived<readonly [Item<U> | F, ...FilledSides<L, F>]>;
  zip(...others: readonly unknown[]): Derived<never> {
    return zipped(this, others) as Derived<never>;
  }

  concat<U, const L extends readonly Listable[]>(this: Source<U>, ...others: L): Derived<Item<U> | Side<L[number]>> {
    return new Derived({ kind: 'concat', of: [this, ...lists(others, 'concat')] });
  }

  abstract run(ctx: TaskContext, args: Readonly<Record<string, unknown>>): unknown;

  /** Goes on where the wait of the try's last leg is over. */
  resume(method: string, ctx: TaskContext, args: Readonly<Record<string, unknown>>, payload: unknown): unknown {
    if (!this.hasMethod(method))
      throw new TypeError(
        `${this.operator} has no method '${method}' to go on with; allowed: a method (ctx, args, payload)`,
      );
    return (this as unknown as Record<string, (...args: unknown[]) => unknown>)[method]!(ctx, args, payload);
  }

  hasMethod(name: string): boolean {
    return name !== 'constructor' && typeof (this as unknown as Record<string, unknown>)[name] === 'function';
  }

  /** The kinds of trigger that the task may wait for. */
  get triggers(): readonly TriggerClass[] {
    return [];
  }

  /** Task and group ids that the arguments name, checked when the DAG is complete. */
  namedIds(): readonly string[] {
    return [];
  }

  /** These come after this task: `a.to([b, c]).to(d)`. */
  to(...next: Linkable[]): Chain {
    return arrow(this, next, 'to');
  }

  /** These come before this task. */
  from(...previous: Linkable[]): Chain {
    return arrow(this, previous, 'from');
  }

  /** Work that others need: it is cleared with them, and a teardown runs if it did. */
  asSetup(): this {
    if (this.teardown !== undefined) this.refuse('the task is a teardown already; allowed: setup or teardown');
    this.setup = true;
    return this;
  }

  /**
   * Runs whatever became of the work before it, if its setups succeeded. `setups` are made setups, upstream of this task.
   * `onFailureFailDagrun` (default false): its failure fails the run.
   */
  asTeardown(
    options: {
      readonly setups?: Task<unknown> | readonly Task<unknown>[];
      readonly onFailureFailDagrun?: boolean;
    } = {},
  ): this {
    if (this.setup) this.refuse('the task is a setup already; allowed: setup or teardown');
    this.teardown = { onFailureFailDagrun: options.onFailureFailDagrun ?? false };
    const setups = [options.setups ?? []].flat() as Task<unknown>[];
    for (const setup of setups) setup.asSetup();
    if (setups.length > 0) this.from(setups);
    return this;
  }

  /** Tasks made inside run between this teardown's setups and this teardown. */
  around<T>(define: () => T): T {
    if (this.teardown === undefined)
      this.refuse(
        'around() is called on a task that is no teardown; allowed: task.asTeardown({ setups }).around(() => { … })',
      );
    return this.dag.surround(this, define);
  }

  callbacksOf(name: TaskCallback): readonly Callback[] {
    return this.attributes[name] ?? [];
  }

  refuse(reason: string, at: CallSite | undefined = this.at): never {
    throw new DagError(reason, { dagId: this.dag.dagId, taskId: this.taskId, at });
  }

  private takes(source: Task<unknown>): void {
    if (source.dag !== this.dag)
      this.refuse(
        `an argument is the output of task '${source.taskId}' of DAG '${source.dag.dagId}'; allowed: outputs of tasks of the same DAG`,
      );
    this.upstream.add(source.taskId);
  }

  private checkAttributes(options: Readonly<Record<string, unknown>>): CheckedAttributes {
    const own = Object.fromEntries(
      Object.entries(options).filter(([key, value]) => TASK_KEYS.has(key) && value !== undefined),
    );
    const given = { ...this.dag.defaultArgs, ...this.group?.inheritedArgs(), ...own };
    const parsed = attributesSchema.safeParse(given);
    if (!parsed.success) this.refuse(problems(parsed.error, given, attributesSchema).join('; '));
    const growth = growthProblem(parsed.data.retryPolicy ?? [], parsed.data as CheckedAttributes);
    if (growth !== undefined) this.refuse(growth);
    return parsed.data as CheckedAttributes;
  }

  private checkArguments(
    options: Readonly<Record<string, unknown>>,
    { schema, ownKeys, mapping }: Construction & { readonly ownKeys: ReadonlySet<string> },
  ): Readonly<Record<string, unknown>> {
    const args = Object.fromEntries(
      Object.entries(options).filter(
        ([key, value]) => !TASK_KEYS.has(key) && !STRUCTURE.has(key) && !ownKeys.has(key) && value !== undefined,
      ),
    );
    if (schema === undefined) return args;
    const parsed = schema.safeParse(args);
    if (parsed.success) return parsed.data as Readonly<Record<string, unknown>>;
    const names = mapping?.kind === 'product' ? new Set(mapping.over.map(({ name }) => name)) : undefined;
    // What the mapping gives may be missing here.
    const isGiven = (name: unknown): boolean =>
      mapping !== undefined && (names?.has(String(name)) ?? args[String(name)] === undefined);
    const issues = parsed.error.issues.filter(({ path }) => path.length === 0 || !isGiven(path[0]));
    if (issues.length === 0) return args;
    const strangers = issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [],
    );
    const known = [...Object.keys((schema as z.ZodObject).shape ?? {}), ...TASK_KEYS, ...STRUCTURE, ...ownKeys];
    const rest = new z.ZodError(
      issues.filter((issue) => !(issue.code === 'unrecognized_keys' && issue.path.length === 0)),
    );
    return this.refuse(
      [...(strangers.length > 0 ? [unknownKeys(strangers, [], known)] : []), ...problems(rest, args, schema)].join(
        '; ',
      ),
    );
  }
}

function home(
  options: Readonly<Record<string, unknown>>,
  at: CallSite | undefined,
): { readonly dag: Dag; readonly group: TaskGroup | undefined } {
  const given = options as Partial<TaskOptions>;
  const scope = currentScope();
  const dag = given.dag ?? given.group?.dag ?? scope?.dag;
  if (dag === undefined)
    throw new DagError(
      `task ${show(given.id)} is in no DAG; allowed: inside of new Dag({ … }, () => { … }), or with the attribute dag`,
      { at },
    );
  return { dag, group: given.group ?? (scope?.dag === dag ? scope.group : undefined) };
}

function claimId(
  id: unknown,
  dag: Dag,
  group: TaskGroup | undefined,
  suffixOnCollision: boolean,
  at: CallSite | undefined,
): string {
  const details = { dagId: dag.dagId, at };
  const prefixed = typeof id === 'string' && id !== '' ? (group?.childId(id) ?? id) : id;
  if (!idSchema.safeParse(prefixed).success || !idSchema.safeParse(id).success)
    throw new DagError(`id is ${show(prefixed)}; allowed: ${idSchema.description}`, details);
  const wanted = prefixed as string;
  const other = dag.whoHas(wanted);
  if (other === undefined) return wanted;
  if (suffixOnCollision) return dag.freeId(wanted);
  const where = other.at === undefined ? '' : ` (the other is at line ${other.at.line})`;
  throw new DagError(`id '${wanted}' is given twice${where}; allowed: an id that no task or group of the DAG has`, {
    ...details,
    taskId: wanted,
  });
}

function paramsOf(input: Readonly<Record<string, unknown>> | undefined, refuse: (reason: string) => never) {
  const definitions = paramDefinitions(input ?? {});
  return definitions.ok ? definitions.value : refuse(definitions.error);
}
