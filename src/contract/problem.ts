// The body of every answer of 400 and above (RFC 9457).

import { z } from 'zod';
import { PROBLEM_CODES } from './errors.ts';

export const ProblemSchema = z
  .object({
    type: z.string().meta({ description: '`urn:holdpoint:problem:` and the code.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'What is wrong and what to do about it.' }),
    instance: z.string().meta({ description: '`urn:request:` and the request’s id.' }),
    code: z.enum(PROBLEM_CODES).meta({ description: 'A closed list; what a program looks at.' }),
    requestId: z.string(),
    runId: z.string().optional().meta({
      description: 'Only where the reply to the commit of a start was lost: the run may exist.',
    }),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'What is wrong with each field or parameter, `path` dotted.' }),
  })
  .meta({ id: 'Problem', description: 'Every answer of 400 and above (RFC 9457).' });
export type Problem = z.infer<typeof ProblemSchema>;
