// Bases, documents, searches and memories as the API shows them. Field names are fixed.

import { z } from 'zod';
import { pageOf } from './page.ts';
import { SubjectSchema } from './subject.ts';

const Timestamp = z.iso.datetime({ offset: true });

/** Of a file, and of a text in JSON. */
export const DOCUMENT_MAX_BYTES = 20 * 2 ** 20;
export const MEMORY_MAX_CHARS = 2000;

export const BASE_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;
export const BaseIdSchema = z
  .string()
  .regex(BASE_ID, 'must be a small letter or a digit, then such, _ or -, at most 64 in all');

const shortText = (max: number) =>
  z
    .string()
    .max(max, `must be at most ${max} characters long`)
    .refine((text) => text.trim() !== '', 'must not be blank');

export const NewBaseSchema = z
  .strictObject({
    id: BaseIdSchema.meta({ description: 'The name in addresses and agent files.' }),
    name: shortText(200),
    description: z.string().max(2000, 'must be at most 2000 characters long').optional(),
  })
  .meta({ id: 'NewBase' });

export const BaseSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    description: z.string().optional(),
    createdAt: Timestamp,
  })
  .meta({ id: 'Base', description: 'Documents of one org that agents may search.' });
export type Base = z.infer<typeof BaseSchema>;
export const BasePageSchema = pageOf('BasePage', BaseSchema);

export const ExternalIdSchema = shortText(500).meta({
  description:
    'The caller’s own name for it. A document replaces the one of the same external id when it is ready.',
});
const TitleSchema = shortText(300);
const EXTERNAL = { externalId: ExternalIdSchema.optional() };

export const NewDocumentSchema = z
  .union([
    z.strictObject({
      title: TitleSchema,
      text: z
        .string()
        .refine((text) => text.trim() !== '', 'must not be blank')
        .meta({ description: 'Plain text or Markdown.' }),
      ...EXTERNAL,
    }),
    z.strictObject({
      url: z
        .string()
        .max(2048, 'must be at most 2048 characters long')
        .meta({ description: 'http or https, a public address. It is fetched once.' }),
      ...EXTERNAL,
    }),
  ])
  .meta({ id: 'NewDocument' });
export type NewDocumentBody = z.infer<typeof NewDocumentSchema>;

/** The fields of a form with a file, beside the file itself. */
export const UploadFieldsSchema = z.strictObject(EXTERNAL);

export const GivenDocumentSchema = z
  .object({ documentId: z.string(), status: z.enum(['PROCESSING', 'READY', 'FAILED']) })
  .meta({ id: 'GivenDocument' });

export const DocumentSchema = z
  .object({
    documentId: z.string(),
    title: z.string().meta({ description: 'Of a file, its name.' }),
    status: z.enum(['PROCESSING', 'READY', 'FAILED']),
    progress: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .meta({ description: 'Only while it is PROCESSING. It never goes back.' }),
    error: z
      .object({ code: z.string(), message: z.string() })
      .optional()
      .meta({ description: 'Only where it is FAILED: why.' }),
    externalId: z.string().optional(),
    createdAt: Timestamp,
  })
  .meta({ id: 'Document', description: 'Searchable whole once it is READY, before not at all.' });
export type DocumentAnswer = z.infer<typeof DocumentSchema>;
export const DocumentPageSchema = pageOf('DocumentPage', DocumentSchema);

export const SearchAnswerSchema = z
  .object({
    data: z.array(
      z.object({
        documentId: z.string(),
        title: z.string(),
        passageId: z.string(),
        text: z.string(),
        score: z.number().meta({ description: 'The higher the better; only within one answer.' }),
      }),
    ),
    mode: z.enum(['hybrid', 'text']).meta({
      description: 'hybrid: by words and by meaning. text: by words alone.',
    }),
  })
  .meta({ id: 'SearchAnswer', description: 'Passages, best first.' });

const MemoryContentSchema = z
  .string()
  .refine((text) => text.trim() !== '', 'must not be blank')
  .refine(
    (text) => [...text].length <= MEMORY_MAX_CHARS,
    `must be at most ${MEMORY_MAX_CHARS} characters long`,
  );
export const NewMemorySchema = z
  .strictObject({
    content: MemoryContentSchema.meta({
      description: 'One fact about the user.',
      maxLength: MEMORY_MAX_CHARS,
    }),
    userId: SubjectSchema.optional().meta({
      description: 'Default: the caller. Another one needs `runs:impersonate`.',
    }),
  })
  .meta({ id: 'NewMemory' });

export const MemorySchema = z
  .object({
    memoryId: z.string(),
    userId: z.string(),
    content: z.string(),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'Memory', description: 'One fact kept about one user of one org.' });
export type Memory = z.infer<typeof MemorySchema>;
export const MemoryPageSchema = pageOf('MemoryPage', MemorySchema);
