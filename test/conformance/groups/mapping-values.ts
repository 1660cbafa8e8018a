import { compileGraph, inputOf, type DagDefinition, type InputValue, type MapIndex } from '@rondo/domain';
import { byPart, fields, holding, Inexpressible, list, text, type Case, type Fields, type Finding } from '../case.ts';
import { Play } from '../play.ts';
import { readTransform, type Raise } from '../transform.ts';
import { stateName } from '../values.ts';

type Sdk = typeof import('@rondo/sdk');

/** What an instance gets is resolved in the child: it is the SDK's. */
const SDK = new URL('../../../libs/sdk/src/index.ts', import.meta.url).href;
let loading: Promise<Sdk> | undefined;

async function load(): Promise<Sdk> {
  try {
    return (await import(SDK)) as Sdk;
  } catch (error) {
    throw new Inexpressible(`the SDK does not load: ${String(error)}`);
  }
}

interface Ran {
  readonly play: Play;
  /** By name, what the attempt was called and what went wrong. */
  readonly names: ReadonlyMap<string, string | null>;
  readonly errors: readonly string[];
}

/** Runs a DAG as its file declares it to its end, each body in this process. */
async function run(sdk: Sdk, define: () => void): Promise<Ran> {
  const dag = new sdk.Dag({ id: 'case' }, define);
  const { dags, errors } = sdk.collectDags({ default: dag }, 'case.ts');
  if (dags.length === 0) throw new Error(errors.map(({ message }) => message).join('; '));
  const definition: DagDefinition = sdk.serialiseDag(dag);
  const graph = compileGraph(definition.tasks, definition.groups);
  if (!graph.ok) throw new Error(graph.error.message);
  const play = new Play({ graph: graph.value, tasks: [] }, { definition });
  const values = new Map<string, { taskId: string; mapIndex: MapIndex; value: unknown }>();
  const names = new Map<string, string | null>();
  const messages: string[] = [];
  play.decide();
  for (let open = play.scheduled(); open.length > 0; open = play.scheduled()) {
    for (const name of open) {
      const { outcome, mapIndexName } = await attempt(sdk, { dag, play, name, values: [...values.values()] });
      names.set(name, mapIndexName ?? null);
      if (outcome.kind === 'failed') messages.push(outcome.error.message);
      const returned = outcome.kind === 'success' ? outcome.xcoms?.['return_value'] : undefined;
      const { task, mapIndex } = play.instance(name);
      if (returned !== undefined && 'value' in returned)
        values.set(name, { taskId: task.def.taskId, mapIndex, value: returned.value });
      play.finish(name, outcome);
    }
    play.decide();
  }
  return { play, names, errors: messages };
}

interface Attempt {
  readonly dag: InstanceType<Sdk['Dag']>;
  readonly play: Play;
  readonly name: string;
  readonly values: readonly { readonly taskId: string; readonly mapIndex: MapIndex; readonly value: unknown }[];
}

function attempt(sdk: Sdk, { dag, play, name, values }: Attempt) {
  const inst = play.instance(name);
  const { taskId, inputs: wanted } = inst.task.def;
  const inputs: Record<string, InputValue> = {};
  for (const id of wanted) {
    const input = inputOf(play.run, inst, id);
    if (input !== undefined) inputs[id] = input;
  }
  const under = (path: string) => (each: (typeof values)[number]) =>
    path === '' || `${each.mapIndex.join('.')}.`.startsWith(`${path}.`);
  return sdk.executeAttempt({
    dag,
    services: {
      variable: () => Promise.resolve(undefined),
      connection: () => Promise.resolve(undefined),
      xcom: () => Promise.resolve(undefined),
      xcomList: (_id, query) => {
        const all = values.filter((each) => each.taskId === query.taskId).filter(under(query.under));
        const page = all.slice(query.offset, query.offset + query.limit);
        return Promise.resolve({
          values: page.map(({ mapIndex, value }) => ({ mapIndex: mapIndex.join('.'), value: value as never })),
          total: all.length,
        });
      },
      putBlob: () => Promise.reject(new Error('a value of the case is too large')),
      getBlob: () => Promise.resolve(undefined),
    },
    signal: new AbortController().signal,
    log: () => undefined,
    env: {},
    root: '/',
    input: {
      id: name,
      attempt: {
        dagId: 'case',
        runId: 'run',
        taskId,
        mapIndex: inst.mapIndex,
        tryNumber: inst.tryNumber,
        leg: inst.leg,
      },
      bundle: { hash: '', file: 'case.ts' },
      run: {
        runType: 'manual',
        logicalDate: 0,
        dataInterval: null,
        runAfter: 0,
        startedAt: 0,
        conf: {},
        triggeredBy: 'test',
      },
      maxTries: 1,
      inputs,
      position: 0,
      traceparent: '',
    },
  });
}

/** What instances get of a list that is transformed on its way to them. */
export async function mappedValues({ input, expected }: Case): Promise<Finding> {
  const sdk = await (loading ??= load());
  const kind = 'zip' in input ? 'zip' : 'concat' in input ? 'concat' : 'map';
  const sources =
    kind === 'map' ? [list(input['source'], 'source')] : list(input[kind], kind).map((each) => list(each, kind));
  const given = input['transforms'] ?? input['transform'];
  const transforms = (given === undefined ? [] : [given].flat()).map((each) =>
    readTransform(text(each, 'transform'), sources[0]!),
  );
  const isKwargs = String(input['consume'] ?? 'expand').startsWith('expand_kwargs');
  const got: unknown[] = [];
  const raise: Raise = (what) => {
    throw what === 'skip' ? new sdk.Skip() : new Error(what);
  };
  const ran = await run(sdk, () => {
    const [first, ...others] = sources.map((items, i) => sdk.task(`source${i}`, () => items)());
    const fill = 'fillvalue' in input ? [{ fillvalue: input['fillvalue'] }] : [];
    const joined =
      kind === 'zip' ? first!.zip(...others, ...(fill as [])) : kind === 'concat' ? first!.concat(...others) : first!;
    const mapped = transforms.reduce(
      (of, transform) => of.map((item: unknown) => transform(item, raise)),
      joined as ReturnType<NonNullable<typeof first>['concat']>,
    );
    const consumer = sdk.task('consumer', (ctx, item: unknown) => {
      const values = isKwargs ? Object.values(fields(item, 'kwargs')) : [item];
      got[ctx.mapIndex[0]!] = values.length === 1 ? values[0] : item;
    });
    if (isKwargs) consumer.expandKwargs(mapped as never);
    else consumer.expand(mapped as never);
  });
  const states = ran.play.instances('consumer').map(({ state }) => stateName(state));
  const named = (message: string): string =>
    message
      .replace(
        'expandKwargs() expects a list of objects, not a list with null',
        'expand_kwargs() expects a list[dict], not list[None]',
      )
      .replace('expandKwargs()', 'expand_kwargs()');
  return byPart(expected, {
    values: () => got.filter((_, i) => states[i] === 'success'),
    states: () => states,
    length: () => states.length,
    map_indexes: () => states.map((_, i) => i),
    error: (wanted) => holding(ran.errors.map(named).join('; '), wanted),
    error_contains: (wanted) => holding(ran.errors.map(named).join('; '), wanted),
  });
}

/** What the template of its name makes of each instance. */
export async function namesOfInstances({ input, expected }: Case): Promise<Finding> {
  const sdk = await (loading ??= load());
  const id = String(input['task_id'] ?? 'task1');
  const template = input['map_index_template'];
  const set = Object.entries(fields(input['context_set_by_task'] ?? {}, 'context_set_by_task'));
  const end = String(input['task_result'] ?? input['outcome'] ?? 'success');
  const { names, play } = await run(sdk, () => {
    const options = typeof template === 'string' ? { mapIndexTemplate: template } : {};
    const body = sdk.task(
      id,
      (ctx, args: Fields) => {
        for (const [name, value] of set)
          ctx.templates.set(name, value === '<its argument>' ? Object.values(args)[0] : value);
        if (end.startsWith('skip')) throw new sdk.Skip();
        if (end.startsWith('fail')) throw new Error('as the case says');
      },
      options,
    );
    body.expand(fields(input['expand'], 'expand') as never);
  });
  const states = play.instances(id);
  return byPart(expected, {
    rendered_map_index: () => states.map(({ mapIndex }) => names.get(`${id}[${mapIndex.join('.')}]`) ?? null),
    states: () => states.map(({ state }) => stateName(state)),
  });
}

/**
 * The reference refuses a mapped task or group in a mapped group; here both are mapped (docs/mapping.md). Such a case
 * passes when what the reference refuses runs: an instance for each item of each instance of the group.
 */
export async function nestedMapping({ input, expected }: Case): Promise<Finding> {
  const sdk = await (loading ??= load());
  const construct = text(input['construct'], 'construct');
  if (!/expand|mapp/.test(construct)) throw new Inexpressible(`the construct '${construct}'`);
  const { play } = await run(sdk, () => {
    sdk.taskGroup('outer').expand({ x: [1, 2] }, ({ x }) => {
      const items = sdk.task('items', (ctx, n: number) => Array.from({ length: n }, (_, i) => i))(x);
      sdk.task('task', (ctx, item: number) => item).expand(items);
      sdk.taskGroup('inner').expand({ y: items }, ({ y }) => void sdk.task('task', (ctx, item: number) => item)(y));
    });
  });
  const indexes = ['outer.task', 'outer.inner.task'].map((id) =>
    play.instances(id).map(({ mapIndex, state }) => `${mapIndex.join('.')} ${state}`),
  );
  const works = indexes.every((each) => each.join() === '0.0 success,1.0 success,1.1 success');
  return byPart(expected, { error: (wanted) => (works ? wanted : indexes) });
}
