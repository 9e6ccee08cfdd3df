// A page of a list, as every list answers it.

import { z } from 'zod';

/** `id`: its name in the OpenAPI document. */
export const pageOf = <T extends z.ZodType>(id: string, item: T) =>
  z
    .object({
      data: z.array(item),
      hasMore: z.boolean(),
      nextCursor: z
        .string()
        .nullable()
        .meta({ description: 'Goes into `after` for the next page. null at the end.' }),
    })
    .meta({ id });
