export { templateContext, type PreviousSuccess, type TemplateContextInput, type XComLookup } from './context.ts';
export { DateTime, TimeDelta } from './datetime.ts';
export { PendingLookup, TemplateError } from './errors.ts';
export { isLiteral, literal, literalValue, type Literal } from './literal.ts';
export { callable, datetimeDiffForHumans, dsAdd, dsFormat, dsFormatLocale, macros, registerMacros } from './macros.ts';
export { hasFields, namesFile, renderTemplate, type RenderOptions } from './render.ts';
