/** What the pipeline reports, as data and as a page for people. */
import type { HourCount, TemplateCount } from './errors-table.ts';

export type ErrorsByApp = Readonly<Record<string, number>>;

export interface Report {
  readonly errorsByApp: ErrorsByApp;
  readonly errorsByHour: readonly HourCount[];
  readonly topTemplates: readonly TemplateCount[];
}

/** An application with more errors than it may have. */
export interface Alert {
  readonly app: string;
  readonly errors: number;
  readonly limit: number;
}

/** An application without a limit never raises an alert. */
export function findAlerts(errorsByApp: ErrorsByApp, limits: Readonly<Record<string, number>>): readonly Alert[] {
  return Object.entries(errorsByApp).flatMap(([app, errors]) => {
    const limit = limits[app];
    return limit !== undefined && errors > limit ? [{ app, errors, limit }] : [];
  });
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);

type Cell = string | number | null;

const tableOf = (caption: string, heads: readonly string[], rows: readonly (readonly Cell[])[]): string => {
  const head = heads.map((text) => `<th>${escape(text)}</th>`).join('');
  const cell = (value: Cell): string =>
    typeof value === 'number' ? `<td class="n">${value}</td>` : `<td>${escape(value ?? 'unknown')}</td>`;
  const body = rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n');
  return `<table><caption>${escape(caption)}</caption>\n<thead><tr>${head}</tr></thead>\n<tbody>\n${body}\n</tbody></table>`;
};

const STYLE =
  'body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1c2430}' +
  'table{border-collapse:collapse;margin:1.5rem 0;width:100%}caption{text-align:left;font-weight:600;padding-bottom:.4rem}' +
  'th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d9dee5}.n{text-align:right;font-variant-numeric:tabular-nums}';

/** A page that needs nothing else. Whatever comes from a log is escaped. */
export function renderHtml(report: Report, title: string): string {
  const total = Object.values(report.errorsByApp).reduce((sum, count) => sum + count, 0);
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escape(title)}</title><style>${STYLE}</style></head>
<body>
<h1>${escape(title)}</h1>
<p>${total} errors in ${Object.keys(report.errorsByApp).length} applications.</p>
${tableOf('Errors by application', ['Application', 'Errors'], Object.entries(report.errorsByApp))}
${tableOf(
  'Errors by application and hour',
  ['Application', 'Hour', 'Errors'],
  report.errorsByHour.map((row) => [row.app, row.hour, row.errors]),
)}
${tableOf(
  'Most frequent messages',
  ['Application', 'Template', 'Errors'],
  report.topTemplates.map((row) => [row.app, row.template, row.count]),
)}
</body>
</html>
`;
}
