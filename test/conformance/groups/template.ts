import { byPart, fields, holding, Inexpressible, type Case, type Fields, type Finding } from '../case.ts';
import { interval, optionalInstant } from '../values.ts';

interface Templates {
  readonly renderTemplate: (value: unknown, context: Fields, options?: { readonly native?: boolean }) => unknown;
  readonly templateContext: (run: Fields) => Fields;
}

/** Templates render in the child, so their renderer is the SDK's. */
const RENDERER = new URL('../../../libs/sdk/src/templates/index.ts', import.meta.url).href;
let loading: Promise<Templates> | undefined;

async function load(): Promise<Templates> {
  try {
    return (await import(RENDERER)) as Templates;
  } catch (error) {
    throw new Inexpressible(`the template renderer does not load: ${String(error)}`);
  }
}

export async function template({ input, expected }: Case): Promise<Finding> {
  const { renderTemplate, templateContext } = await (loading ??= load());
  const context = { ...templateContext(readRun(input)), ...fields(input['context'] ?? {}, 'context') };
  let refusal: string | undefined;
  let rendered: unknown;
  try {
    rendered = await renderTemplate(unfold(input['template']), context, { native: input['native'] === true });
  } catch (error) {
    refusal = String(error);
  }
  const refused = (wanted: unknown): unknown => {
    if (refusal === undefined) return { rendered };
    // The name of a Python exception says that it fails, and no more.
    return /^\w*(Error|Exception)$/.test(String(wanted)) || wanted === true ? wanted : holding(refusal, wanted);
  };
  return byPart(expected, {
    rendered: () => (refusal === undefined ? rendered : { refusal }),
    error: refused,
    error_contains: refused,
    raises: refused,
  });
}

function readRun(input: Fields): Fields {
  const run = fields(input['run'] ?? {}, 'run');
  const logicalDate = optionalInstant(run['logical_date'], 'run.logical_date');
  const variables = input['variables'] ?? run['variables'];
  return {
    dagId: run['dag_id'] ?? 'dag',
    taskId: run['task_id'] ?? 'task',
    runId: run['run_id'] ?? 'run',
    logicalDate,
    ...(run['data_interval'] === undefined
      ? {}
      : { dataInterval: interval(run['data_interval'], 'run.data_interval') }),
    ...(run['conf'] === undefined ? {} : { conf: run['conf'] }),
    ...(typeof run['try_number'] === 'number' ? { tryNumber: run['try_number'] } : {}),
    ...(run['params'] === undefined && input['params'] === undefined
      ? {}
      : { params: run['params'] ?? input['params'] }),
    ...(variables === undefined ? {} : { variable: (key: string) => fields(variables, 'variables')[key] }),
  };
}

/** `diff(a, since b)` stands for the macro of that name, called with two dates. */
function unfold(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unfold);
  if (typeof value !== 'string') return value;
  const m = /^diff\((\S+?)(?:, since (\S+))?\)$/.exec(value);
  if (m === null) return value;
  const since = m[2] === undefined ? '' : `, '${m[2]}'`;
  return `{{ macros.datetime_diff_for_humans('${m[1]}'${since}) }}`;
}
