/** The applications that are watched, and how many errors each may have before the run raises an alert. */
export const ERROR_LIMITS = {
  securityApp: 20,
  mainApp: 8,
  extApp: 20,
  timeApp: 10,
  tokenApp: 20,
  bridgeApp: 20,
  daemonApp: 20,
  notificationApp: 20,
  messageApp: 20,
} as const satisfies Readonly<Record<string, number>>;

export type AppName = keyof typeof ERROR_LIMITS;

export const APPS = Object.keys(ERROR_LIMITS) as readonly AppName[];
