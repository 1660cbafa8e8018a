export { templateContext, type TemplateContextInput, type XComLookup } from './context.ts';
export { DateTime, TimeDelta } from './datetime.ts';
export { PendingLookup, TemplateError } from './errors.ts';
export { datetimeDiffForHumans, dsAdd, dsFormat, macros } from './macros.ts';
export { namesFile, renderTemplate, type RenderOptions } from './render.ts';
