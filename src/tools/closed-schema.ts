// A tool's input schema, closed: what it does not declare is refused, unless it says
// `additionalProperties: true` there. JSON Schema takes whatever is not spoken of; a tool's address
// or body would carry a model's extra argument behind the declared ones. Pure.

type Schema = Readonly<Record<string, unknown>>;

/** Parts that describe another value: closed by themselves. */
const OF_EACH = ['properties', 'patternProperties'] as const;
const OF_ONE = ['additionalProperties', 'items', 'contains', 'additionalItems'] as const;
const OF_PLACES = ['items', 'prefixItems'] as const;
/** Parts that describe the same value: it is closed where they come together. */
const TOGETHER = ['allOf', 'anyOf', 'oneOf'] as const;
const ALSO = ['if', 'then', 'else', 'not'] as const;
const NAMED = ['$defs', 'definitions', 'dependentSchemas'] as const;

/** The arguments as a whole are closed even where the schema declares none. */
export function closed(schema: Schema): Schema {
  return speaksOfOthers(schema)
    ? partsClosed(schema)
    : { ...partsClosed(schema), unevaluatedProperties: false };
}

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const speaksOfOthers = (schema: Schema): boolean =>
  'additionalProperties' in schema || 'unevaluatedProperties' in schema;

/** An object without any declared property is a free one: it is an argument, whatever is in it. */
const declaresProperties = (schema: Schema): boolean =>
  isSchema(schema['properties']) ||
  [...TOGETHER, ...ALSO].some((key) =>
    [schema[key]].flat().some((part) => isSchema(part) && declaresProperties(part)),
  );

const closedPart = (part: unknown): unknown =>
  !isSchema(part)
    ? part
    : !speaksOfOthers(part) && declaresProperties(part)
      ? { ...partsClosed(part), unevaluatedProperties: false }
      : partsClosed(part);

const openPart = (part: unknown): unknown => (isSchema(part) ? partsClosed(part) : part);

const each = (value: unknown, part: (one: unknown) => unknown): unknown =>
  isSchema(value)
    ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, part(one)]))
    : value;

function partsClosed(schema: Schema): Schema {
  const made: Record<string, unknown> = { ...schema };
  for (const key of OF_EACH) if (key in made) made[key] = each(made[key], closedPart);
  for (const key of OF_ONE) if (isSchema(made[key])) made[key] = closedPart(made[key]);
  for (const key of OF_PLACES)
    if (Array.isArray(made[key])) made[key] = (made[key] as readonly unknown[]).map(closedPart);
  for (const key of TOGETHER)
    if (Array.isArray(made[key])) made[key] = (made[key] as readonly unknown[]).map(openPart);
  for (const key of ALSO) if (key in made) made[key] = openPart(made[key]);
  for (const key of NAMED) if (key in made) made[key] = each(made[key], openPart);
  return made;
}
