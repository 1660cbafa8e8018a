import type { Duration } from '@rondo/kernel';
import * as z from 'zod';
import {
  attributesSchema,
  duration,
  flag,
  idSchema,
  problems,
  text,
  wholeNumber,
  type TaskAttributes,
} from './attributes.ts';
import { callSite, type CallSite } from './call-site.ts';
import type { Dag } from './dag.ts';
import { DagError, show } from './error.ts';
import { arrow, NODE, type Chain, type Linkable, type Node } from './relations.ts';
import type { Mapping } from './mapping/mapping.ts';
import { currentScope, isPromise, within } from './scope.ts';
import { sensorSchema, type SensorAttributes } from './sensor-attributes.ts';
import { tasksBehind } from './source.ts';

export interface TaskGroupOptions {
  /** Inside a group, that group's id and a dot come before it. */
  readonly id: string;
  /** Default true: the ids of the tasks and groups inside begin with this group's id and a dot. */
  readonly prefixGroupId?: boolean;
  /** Attributes of the tasks inside, over those of outer groups and the DAG. */
  readonly defaultArgs?: TaskAttributes & SensorAttributes;
  readonly tooltip?: string;
  /** Shown to people in place of the id. */
  readonly displayName?: string;
  /** How often the group as a whole is tried again when one of its tasks has failed for good. Default 0. */
  readonly retries?: number;
  /** Between its failure and its next try. Default 5 minutes. */
  readonly retryDelay?: Duration;
  /** Runs when the group has failed, and stands for it when it succeeds. A task or group beside it, or its id. */
  readonly fallback?: Linkable;
  /** A template: what names an instance of a mapped group, of the tasks inside that have none of their own. */
  readonly mapIndexTemplate?: string;
  /** True: an id that is taken gets `__1`, `__2`, … Default false: it is refused. */
  readonly addSuffixOnCollision?: boolean;
  readonly dag?: Dag;
  readonly parent?: TaskGroup;
}

const schema = z.strictObject({
  id: z
    .string()
    .regex(/^[\p{L}\p{N}_-]+$/u)
    .max(200)
    .describe("1 to 200 letters, digits, '_' and '-'"),
  prefixGroupId: flag().optional(),
  defaultArgs: attributesSchema.extend(sensorSchema.shape).strict().optional(),
  tooltip: text().optional(),
  displayName: text().optional(),
  retries: wholeNumber(0).optional(),
  retryDelay: duration().optional(),
  fallback: z.unknown().optional(),
  mapIndexTemplate: z.string().describe('a template').optional(),
  addSuffixOnCollision: flag().optional(),
  dag: z.unknown().optional(),
  parent: z.unknown().optional(),
});

/**
 * Tasks that belong together. An arrow to the group leads to the tasks inside that nothing inside comes before; an arrow from
 * it begins at those that nothing inside comes after, teardowns left out.
 */
export class TaskGroup<out T = unknown> implements Node {
  readonly [NODE] = true as const;
  readonly dag: Dag;
  readonly parent: TaskGroup | undefined;
  readonly groupId: string;
  readonly tooltip: string | undefined;
  readonly displayName: string | undefined;
  readonly retries: number;
  readonly retryDelayMs: number | undefined;
  readonly fallback: Linkable | undefined;
  readonly mapIndexTemplate: string | undefined;
  readonly mapping: Mapping | undefined;
  readonly at: CallSite | undefined;
  /** What the definition returned. */
  readonly result: T;
  readonly #prefixes: boolean;
  readonly #defaultArgs: TaskAttributes & SensorAttributes;

  constructor(options: TaskGroupOptions, define?: (group: TaskGroup) => T, mapping?: Mapping) {
    this.at = callSite();
    const scope = currentScope();
    const dag = options.dag ?? options.parent?.dag ?? scope?.dag;
    if (dag === undefined)
      throw new DagError(
        `group ${show(options.id)} is in no DAG; allowed: inside of new Dag({ … }, () => { … }), or with the attribute dag`,
        { at: this.at },
      );
    this.dag = dag;
    this.parent = options.parent ?? (scope?.dag === dag ? scope.group : undefined);
    const parsed = schema.safeParse(options);
    if (!parsed.success)
      throw this.#error(`group ${show(options.id)}: ${problems(parsed.error, options, schema).join('; ')}`);
    this.groupId = this.#claim(
      this.parent === undefined ? options.id : this.parent.childId(options.id),
      options.addSuffixOnCollision ?? false,
    );
    this.tooltip = options.tooltip;
    this.displayName = options.displayName;
    this.retries = options.retries ?? 0;
    this.retryDelayMs = parsed.data.retryDelay;
    this.fallback = options.fallback;
    this.mapIndexTemplate = options.mapIndexTemplate;
    this.mapping = mapping;
    this.#prefixes = options.prefixGroupId ?? true;
    this.#defaultArgs = options.defaultArgs ?? {};
    dag.addGroup(this);
    const sources = [...tasksBehind(mapping?.over.map(({ list }) => list))];
    const stranger = sources.find((source) => source.dag !== dag);
    if (stranger !== undefined)
      throw this.#error(
        `group '${this.groupId}' is mapped over the output of task '${stranger.taskId}' of DAG '${stranger.dag.dagId}'; allowed: outputs of tasks of the same DAG`,
      );
    if (sources.length > 0) this.from(sources);
    this.result = define === undefined ? (undefined as T) : within({ dag, group: this }, () => define(this));
    if (isPromise(this.result))
      throw this.#error(
        `the definition of group '${this.groupId}' is async; allowed: a function that returns when everything is declared`,
      );
  }

  /** The id of a task or group inside. */
  childId(id: string): string {
    return this.#prefixes ? `${this.groupId}.${id}` : id;
  }

  inheritedArgs(): TaskAttributes & SensorAttributes {
    return { ...this.parent?.inheritedArgs(), ...this.#defaultArgs };
  }

  to(...next: Linkable[]): Chain {
    return arrow(this, next, 'to');
  }

  from(...previous: Linkable[]): Chain {
    return arrow(this, previous, 'from');
  }

  #claim(wanted: string, suffixOnCollision: boolean): string {
    if (!idSchema.safeParse(wanted).success)
      throw this.#error(`group id is ${show(wanted)}; allowed: ${idSchema.description}`);
    if (this.dag.whoHas(wanted) === undefined) return wanted;
    if (suffixOnCollision) return this.dag.freeId(wanted);
    throw this.#error(`group id '${wanted}' is given twice; allowed: an id that no task or group of the DAG has`);
  }

  #error(reason: string): DagError {
    return new DagError(reason, { dagId: this.dag.dagId, at: this.at });
  }
}
