// What a run's searches returned, as runs, pauses and streams show it.

import { z } from 'zod';

export const CitationSchema = z
  .object({
    baseId: z.string(),
    documentId: z.string(),
    title: z.string(),
    passageId: z.string(),
  })
  .meta({ id: 'Citation', description: 'A passage that a search of the run returned.' });
export type Citation = z.infer<typeof CitationSchema>;

export const Citations = z
  .array(CitationSchema)
  .meta({ description: 'Passages that the run’s searches returned, in their order, each once.' });
export const ReadBefore = z.array(CitationSchema).meta({
  description:
    'Passages that the run had found before it asked for this: what they say may have led to it.',
});
