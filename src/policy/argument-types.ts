// What CEL is told about a tool's arguments: their types, out of the input schema, and the values in
// the form that those types have. A place of the schema that says no single type is `dyn`. Pure.

export type JsonSchema = Readonly<Record<string, unknown>>;

/** A type in the library's words, or the fields of an object. */
export interface FieldTypes {
  readonly [name: string]: string | FieldTypes;
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const schemaOf = (value: unknown): JsonSchema => (isRecord(value) ? value : {});

export const propertiesOf = (schema: JsonSchema): Readonly<Record<string, JsonSchema>> =>
  Object.fromEntries(
    Object.entries(schemaOf(schema['properties'])).map(([name, one]) => [name, schemaOf(one)]),
  );

/** What may give a value another shape than `type` and `properties` tell. */
const INDIRECT = [
  '$ref',
  '$dynamicRef',
  'allOf',
  'anyOf',
  'oneOf',
  'if',
  'dependentSchemas',
  'not',
];
export const isIndirect = (schema: JsonSchema): boolean => INDIRECT.some((key) => key in schema);

const SCALARS: Readonly<Record<string, string>> = {
  integer: 'int',
  number: 'double',
  string: 'string',
  boolean: 'bool',
};

/** Of the arguments as a whole. */
export const argumentTypes = (input: JsonSchema): FieldTypes =>
  Object.fromEntries(
    Object.entries(propertiesOf(input)).map(([name, schema]) => [name, typeOf(schema)]),
  );

function typeOf(schema: JsonSchema): string | FieldTypes {
  const type = schema['type'];
  if (typeof type !== 'string' || isIndirect(schema)) return 'dyn';
  if (type === 'array') {
    const item = typeOf(schemaOf(schema['items']));
    return typeof item === 'string' && item !== 'dyn' ? `list<${item}>` : 'list<dyn>';
  }
  if (type === 'object') {
    const fields = argumentTypes(schema);
    return Object.keys(fields).length > 0 && !isOpen(schema) ? fields : 'dyn';
  }
  return SCALARS[type] ?? 'dyn';
}

/** Takes names that it does not declare. */
export const isOpen = (schema: JsonSchema): boolean =>
  ['additionalProperties', 'unevaluatedProperties', 'patternProperties'].some(
    (key) => key in schema && schema[key] !== false,
  );

/** Whole numbers are CEL's `int`, which is exact, but where the schema speaks of numbers. */
export function celValue(value: unknown, schema: JsonSchema = {}): unknown {
  if (typeof value === 'number')
    return Number.isSafeInteger(value) && schema['type'] !== 'number' ? BigInt(value) : value;
  if (Array.isArray(value))
    return value.map((item: unknown) => celValue(item, schemaOf(schema['items'])));
  if (!isRecord(value)) return value;
  const properties = propertiesOf(schema);
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, celValue(one, properties[name])]),
  );
}

/** How many values a value is, and how many characters: what going over it costs. */
export function weightOf(value: unknown): number {
  let weight = 0;
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    weight += 1;
    if (typeof next === 'string') weight += next.length;
    else if (Array.isArray(next)) for (const item of next) open.push(item);
    else if (isRecord(next))
      for (const [name, item] of Object.entries(next)) {
        weight += name.length;
        open.push(item);
      }
  }
  return weight;
}
