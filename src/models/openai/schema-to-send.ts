// A tool's JSON Schema as strict servers take it: an object schema has `properties`, an array's
// `items` are said. Pure.

type Schema = Readonly<Record<string, unknown>>;

const SCHEMA_KEYS = ['items', 'additionalProperties', 'not', 'if', 'then', 'else', 'contains'];
const SCHEMA_MAPS = ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'];
const SCHEMA_LISTS = ['anyOf', 'oneOf', 'allOf', 'prefixItems'];

export function schemaToSend(input: Schema): Record<string, unknown> {
  // Picky servers refuse `$schema`.
  const { $schema: _, ...schema } = input;
  return filledIn({ type: 'object', ...schema });
}

function filledIn(schema: Schema): Record<string, unknown> {
  const made: Record<string, unknown> = { ...schema };
  for (const key of SCHEMA_KEYS) if (isSchema(made[key])) made[key] = filledIn(made[key]);
  for (const key of SCHEMA_MAPS) {
    const map = made[key];
    if (isSchema(map)) made[key] = Object.fromEntries(Object.entries(map).map(inEntry));
  }
  for (const key of SCHEMA_LISTS) {
    const list = made[key];
    if (Array.isArray(list))
      made[key] = list.map((each) => (isSchema(each) ? filledIn(each) : each));
  }
  if (isOf(made['type'], 'object') && !isSchema(made['properties'])) made['properties'] = {};
  if (isOf(made['type'], 'array') && made['items'] === undefined) made['items'] = {};
  return made;
}

const inEntry = ([name, value]: [string, unknown]): [string, unknown] => [
  name,
  isSchema(value) ? filledIn(value) : value,
];

const isOf = (type: unknown, name: string): boolean =>
  type === name || (Array.isArray(type) && type.includes(name));

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
