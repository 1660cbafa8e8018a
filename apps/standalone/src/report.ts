import type { Json } from '@rondo/kernel';

interface Report {
  readonly errorsByApp: Readonly<Record<string, number>>;
  readonly topTemplates: readonly Json[];
  readonly alerts: readonly Json[];
}

/** The report that `monitor_errors` returns; an empty one when its run took the quick end. */
export function readReport(value: Json): Report {
  const report = (typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}) as Partial<Report>;
  return {
    errorsByApp: report.errorsByApp ?? {},
    topTemplates: report.topTemplates ?? [],
    alerts: report.alerts ?? [],
  };
}

/** A few lines for people. */
export function printReport(report: Report): string {
  const lines = ['', 'Errors by application'];
  const widest = Math.max(0, ...Object.keys(report.errorsByApp).map((app) => app.length));
  for (const [app, count] of Object.entries(report.errorsByApp))
    lines.push(`  ${app.padEnd(widest)}  ${String(count).padStart(5)}`);
  if (report.topTemplates.length > 0) lines.push('', 'Most frequent');
  for (const template of report.topTemplates.slice(0, 5)) lines.push(`  ${describe(template)}`);
  lines.push('', report.alerts.length === 0 ? 'No application is over its limit.' : 'Alerts');
  for (const alert of report.alerts) lines.push(`  ${describe(alert)}`);
  return lines.join('\n');
}

/** `14 × connection refused …  [extApp]`, whatever the entry is made of. */
function describe(value: Json): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return String(value);
  const { app, count, template, errors, limit, ...rest } = value as Readonly<Record<string, Json>>;
  const more = Object.entries(rest).map(([key, v]) => `${key} ${JSON.stringify(v)}`);
  const counted = count === undefined ? [] : [`${String(count).padStart(4)} ×`];
  const over = errors === undefined ? [] : [`${String(errors)} errors, over its limit of ${String(limit)}`];
  const parts = [
    ...counted,
    ...(template === undefined ? [] : [String(template)]),
    ...(app === undefined ? [] : [template === undefined ? `${String(app)}:` : `(${String(app)})`]),
    ...over,
    ...more,
  ];
  return parts.join(' ');
}
