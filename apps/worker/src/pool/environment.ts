const USUAL =
  'PATH HOME USER LOGNAME SHELL LANG LANGUAGE LC_* TZ TERM VIRTUAL_ENV SystemRoot NODE_EXTRA_CA_CERTS SSL_CERT_FILE SSL_CERT_DIR HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy'.split(
    ' ',
  );

/**
 * What user code sees of this process's environment: the usual variables and those that `pass` names (`PREFIX_*` is
 * allowed), then `more`. By allow-list: what this process knows of keys and passwords stays here (I15).
 */
export function childEnvironment(
  from: NodeJS.ProcessEnv,
  pass: readonly string[],
  more: Readonly<Record<string, string>>,
): Record<string, string> {
  const wanted = [...USUAL, ...pass];
  const passes = (name: string): boolean =>
    wanted.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one));
  const passed = Object.entries(from).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && passes(entry[0]),
  );
  return { ...Object.fromEntries(passed), ...more };
}
