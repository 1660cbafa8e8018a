import { parseDuration, type Duration } from '@rondo/kernel';
import { FailNow, Operator, paramDefinitions, templatable, type ParamsInput, type TaskContext } from '@rondo/sdk';
import type { ApprovalResponse } from '@rondo/sdk';
import * as z from 'zod';

interface Question {
  /** What is asked, in a line. A template. */
  readonly subject: string;
  /** Markdown. A template. */
  readonly body?: string;
  /** Names of the users who may answer. Default: everybody who may answer at all. */
  readonly assignees?: string | readonly string[];
  /** How long to wait for an answer. Default: no limit. */
  readonly responseTimeout?: Duration;
  /** A form to be filled in with the answer, like the params of a DAG. */
  readonly form?: ParamsInput;
}

export interface HITLArgs extends Question {
  readonly options: readonly string[];
  /** Chosen when `responseTimeout` is over. Default: the task fails then. */
  readonly defaults?: string | readonly string[];
  /** True: several options may be chosen. Default false. */
  readonly multiple?: boolean;
}

const options = z
  .array(z.string().min(1))
  .min(1)
  .refine((all) => new Set(all).size === all.length)
  .describe('a list of different texts');
const question = {
  subject: templatable(z.string().min(1).describe('a text')),
  body: templatable(z.string().describe('a text')).optional(),
  assignees: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .describe('a user, or a list of them')
    .optional(),
  responseTimeout: z
    .custom<Duration>((value) => parseDuration(value).ok)
    .describe("a duration such as '2d'")
    .optional(),
  form: z
    .record(z.string(), z.unknown())
    .superRefine((form, ctx) => {
      const defined = paramDefinitions(form);
      if (!defined.ok) ctx.addIssue({ code: 'custom', message: defined.error, params: { whole: true } });
    })
    .describe('an object of params')
    .optional(),
};
const choice = {
  ...question,
  options,
  defaults: z
    .union([z.string(), z.array(z.string()).min(1)])
    .describe('an option, or a list of them')
    .optional(),
  multiple: z.boolean().describe('true or false').optional(),
};
interface Choice {
  readonly options: readonly string[];
  readonly defaults?: string | readonly string[] | undefined;
  readonly multiple?: boolean | undefined;
}
const areDefaultsValid = ({ options: all, defaults, multiple = false }: Choice): boolean => {
  const chosen = [defaults ?? []].flat();
  return chosen.every((each) => all.includes(each)) && (multiple || chosen.length <= 1);
};
const defaultsError = { path: ['defaults'], error: 'options of the list; one, unless multiple is true' };

/** Never returns: the task waits for a person, and holds no slot meanwhile. */
function ask(ctx: TaskContext, args: HITLArgs, resume?: string): never {
  const { subject, body, options: all, defaults, multiple = false, form, assignees, responseTimeout } = args;
  const params = form === undefined ? undefined : paramDefinitions(form);
  if (params?.ok === false) throw new TypeError(params.error);
  return ctx.defer({
    wait: {
      kind: 'approval',
      subject,
      options: all,
      multiple,
      ...(body === undefined ? {} : { body }),
      ...(defaults === undefined ? {} : { defaults: [defaults].flat() }),
      ...(params === undefined ? {} : { params: params.value }),
      ...(assignees === undefined ? {} : { assignees: [assignees].flat() }),
    },
    ...(resume === undefined ? {} : { resume }),
    ...(responseTimeout === undefined ? {} : { timeout: responseTimeout }),
  });
}

/** Asks a person to choose. Returns who has chosen what, when, and the form. */
export class HITLOperator extends Operator<HITLArgs, ApprovalResponse> {
  static override readonly templateFields = ['subject', 'body'];
  static override readonly schema = z.strictObject(choice).refine(areDefaultsValid, defaultsError);

  execute(ctx: TaskContext, args: HITLArgs): never {
    return ask(ctx, args);
  }
}

/** Asks a person to fill in a form: one option, `OK` unless named. */
export class HITLEntryOperator extends Operator<Question & { readonly options?: readonly string[] }, ApprovalResponse> {
  static override readonly templateFields = ['subject', 'body'];
  static override readonly schema = z.strictObject({ ...question, options: options.optional() });

  execute(
    ctx: TaskContext,
    { options: all = ['OK'], ...args }: Question & { readonly options?: readonly string[] },
  ): never {
    return ask(ctx, { ...args, options: all });
  }
}

export interface ApprovalArgs extends Question {
  /** `Approve` or `Reject`, when `responseTimeout` is over. Default: the task fails then. */
  readonly defaults?: 'Approve' | 'Reject';
  /** True: a rejection fails the task. Default false: what comes after it is skipped. */
  readonly failOnReject?: boolean;
  /** True: a rejection skips everything after it; false (default): what is directly after it, and trigger rules decide on the rest. */
  readonly ignoreDownstreamTriggerRules?: boolean;
}

/** Asks a person for a yes. */
export class ApprovalOperator extends Operator<ApprovalArgs, ApprovalResponse> {
  static override readonly templateFields = ['subject', 'body'];
  static override readonly schema = z.strictObject({
    ...question,
    defaults: z.enum(['Approve', 'Reject']).describe("'Approve' or 'Reject'").optional(),
    failOnReject: z.boolean().describe('true or false').optional(),
    ignoreDownstreamTriggerRules: z.boolean().describe('true or false').optional(),
  });

  execute(ctx: TaskContext, args: ApprovalArgs): never {
    return ask(ctx, { ...args, options: ['Approve', 'Reject'] }, 'onAnswer');
  }

  onAnswer(ctx: TaskContext, args: ApprovalArgs, response: ApprovalResponse): ApprovalResponse {
    if (!response.chosenOptions.includes('Reject')) return response;
    const { failOnReject = false, ignoreDownstreamTriggerRules = false } = args;
    if (failOnReject) throw new FailNow(`rejected by ${response.respondedBy ?? 'default'}`);
    ctx.flow.shortCircuit({ ignoreDownstreamTriggerRules });
    return response;
  }
}

export interface HITLBranchArgs extends HITLArgs {
  /** Task or group ids of options that are not ids themselves. */
  readonly optionsMapping?: Readonly<Record<string, string>>;
}

/** Asks a person which way to go: of the tasks directly after it, those that are not chosen are skipped. */
export class HITLBranchOperator extends Operator<HITLBranchArgs, ApprovalResponse> {
  static override readonly templateFields = ['subject', 'body'];
  static override readonly schema = z
    .strictObject({
      ...choice,
      optionsMapping: z.record(z.string(), z.string().min(1)).describe('an object of ids by option').optional(),
    })
    .refine(areDefaultsValid, defaultsError)
    .refine(
      ({ options: all, optionsMapping = {} }) => Object.keys(optionsMapping).every((each) => all.includes(each)),
      {
        path: ['optionsMapping'],
        error: 'an object whose keys are options',
      },
    );

  override namedIds(): readonly string[] {
    const { options: all, optionsMapping = {} } = this.given as unknown as HITLBranchArgs;
    return all.map((option) => optionsMapping[option] ?? option);
  }

  execute(ctx: TaskContext, args: HITLBranchArgs): never {
    return ask(ctx, args, 'onAnswer');
  }

  onAnswer(ctx: TaskContext, { optionsMapping = {} }: HITLBranchArgs, response: ApprovalResponse): ApprovalResponse {
    ctx.flow.follow(response.chosenOptions.map((option) => optionsMapping[option] ?? option));
    return response;
  }
}
