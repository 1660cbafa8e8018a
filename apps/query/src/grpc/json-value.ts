import type { Json } from '@rondo/kernel';

/** `google.protobuf.Value`, as protobufjs has it. */
export type ProtoValue =
  | { readonly nullValue: 'NULL_VALUE' }
  | { readonly boolValue: boolean }
  | { readonly numberValue: number }
  | { readonly stringValue: string }
  | { readonly listValue: { readonly values: readonly ProtoValue[] } }
  | { readonly structValue: { readonly fields: Readonly<Record<string, ProtoValue>> } };

export function protoValue(json: Json): ProtoValue {
  if (json === null) return { nullValue: 'NULL_VALUE' };
  if (typeof json === 'boolean') return { boolValue: json };
  if (typeof json === 'number') return { numberValue: json };
  if (typeof json === 'string') return { stringValue: json };
  if (Array.isArray(json)) return { listValue: { values: (json as readonly Json[]).map(protoValue) } };
  const fields = Object.entries(json)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, protoValue(value)] as const);
  return { structValue: { fields: Object.fromEntries(fields) } };
}

/** A value that says nothing is null. */
export function jsonOf(value: ProtoValue): Json {
  if ('boolValue' in value) return value.boolValue;
  if ('numberValue' in value) return value.numberValue;
  if ('stringValue' in value) return value.stringValue;
  if ('listValue' in value) return value.listValue.values.map(jsonOf);
  if ('structValue' in value)
    return Object.fromEntries(Object.entries(value.structValue.fields).map(([name, each]) => [name, jsonOf(each)]));
  return null;
}
