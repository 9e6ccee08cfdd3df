// A query parameter arrives as text; the document shows what the text means.

import type { oas31 } from 'zod-openapi';

/** For `.meta({ override })`: the schema to show instead of the text's own. */
export const documentedAs =
  (shown: oas31.SchemaObject) =>
  ({ jsonSchema }: { readonly jsonSchema: object }): void => {
    for (const key of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, key);
    Object.assign(jsonSchema, shown);
  };
