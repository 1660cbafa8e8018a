import { byPart, fields, Inexpressible, type Case, type Fields, type Finding } from '../case.ts';
import { optionalInstant } from '../values.ts';

type Render = (value: unknown, context: Fields, options?: { readonly native?: boolean }) => unknown;
type Context = (run: Fields) => Fields;

interface Templates {
  readonly renderTemplate: Render;
  readonly templateContext: Context;
}

let loaded: Promise<Templates> | undefined;

/** The renderer is the SDK's: it runs in the child, not in the domain. */
function templates(): Promise<Templates> {
  return (loaded ??= load());
}

async function load(): Promise<Templates> {
  const name = '@rondo/sdk';
  const sdk = (await import(name)) as Partial<Templates>;
  if (sdk.renderTemplate === undefined || sdk.templateContext === undefined)
    throw new Inexpressible(`${name} has no template renderer`);
  return { renderTemplate: sdk.renderTemplate, templateContext: sdk.templateContext };
}

export async function template({ input, expected }: Case): Promise<Finding> {
  const { renderTemplate, templateContext } = await templates();
  const run = input['run'] === undefined ? {} : runContext(fields(input['run'], 'run'));
  const context = { ...templateContext(run), ...fields(input['context'] ?? {}, 'context') };
  const rendered = await renderTemplate(unfold(input['template']), context, { native: input['native'] === true });
  return byPart(expected, { rendered: () => rendered });
}

function runContext(run: Fields): Fields {
  const logicalDate = optionalInstant(run['logical_date'], 'run.logical_date');
  return { dagId: run['dag_id'], taskId: run['task_id'], runId: run['run_id'], logicalDate };
}

/** `diff(a, since b)` stands for the macro of that name, called with two dates. */
function unfold(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unfold);
  if (typeof value !== 'string') return value;
  const m = /^diff\((\S+)(?:, since (\S+))?\)$/.exec(value);
  if (m === null) return value;
  const since = m[2] === undefined ? '' : `, '${m[2]}'`;
  return `{{ macros.datetime_diff_for_humans('${m[1]}'${since}) }}`;
}
