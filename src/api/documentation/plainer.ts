// What zod says more exactly than a reader of the document, or a generator of clients, wants it.

import type { ZodOpenApiOverride } from 'zod-openapi';

export const plainer: ZodOpenApiOverride = ({ jsonSchema, zodSchema, io }) => {
  if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  delete jsonSchema.propertyNames;
  if (io === 'input') return;
  // Answers may grow fields: clients must not refuse those that they do not know.
  const { def } = zodSchema._zod;
  if (def.type === 'object' && !('catchall' in def && def.catchall !== undefined))
    delete jsonSchema.additionalProperties;
};
