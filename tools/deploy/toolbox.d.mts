/** Each answers the path of a program, which it fetches when it is not there; throws with what is missing for that. */
export const tools: Readonly<Record<'hadolint' | 'kubernetesValidate' | 'helm' | 'compose', () => string>>;
export function run(command: string, args: readonly string[], options?: object): string;
