// `summary`, `labels` and `hidden` of a tool: the sentence that people decide by must show every
// argument, or say which it leaves out.

import { z } from 'zod';
import type { ToolSnapshot } from '../contract/agent.ts';
import { visible } from '../json/visible.ts';
import { propertiesOf, type JsonSchema } from '../policy/argument-types.ts';
import { readSentence, type SentencePart } from '../policy/sentence.ts';
import { argumentsLetIn } from './let-in.ts';
import type { FileProblem, Path } from './file-problem.ts';

const Words = z
  .string()
  .min(1)
  .max(500)
  .refine((text) => visible(text) === text, 'has a character that cannot be seen');

export const SENTENCE_IN_FILE = {
  summary: Words.optional().meta({
    description:
      'The sentence that people decide by: `Refund {amountCents | money} of order {orderId}`. Filters: money, date, list, text.',
  }),
  labels: z.record(z.string(), Words).optional().meta({
    description: 'Arguments that follow the sentence, a line each, with the word before each.',
  }),
  hidden: z.array(z.string()).optional().meta({
    description: 'Arguments that the sentence leaves out.',
  }),
};
export interface SentenceEntry {
  readonly summary?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly hidden?: readonly string[] | undefined;
}

/** A list: a database keeps no order of keys. */
export const sentenceOf = ({
  summary,
  labels = {},
}: SentenceEntry): Pick<ToolSnapshot, 'summary' | 'labels'> =>
  summary === undefined
    ? {}
    : {
        summary,
        ...(Object.keys(labels).length === 0
          ? {}
          : { labels: Object.entries(labels).map(([name, label]) => ({ name, label })) }),
      };

export function sentenceProblems(
  { summary, labels = {}, hidden = [] }: SentenceEntry,
  input: JsonSchema,
  path: Path,
): readonly FileProblem[] {
  const at = (...more: Path): Path => [...path, ...more];
  if (summary === undefined) {
    const alone = [
      ...(Object.keys(labels).length === 0 ? [] : ['labels']),
      ...(hidden.length === 0 ? [] : ['hidden']),
    ];
    return alone.map((key) => ({ path: at(key), message: 'is nothing without a summary' }));
  }
  const read = readSentence(summary);
  if (!read.ok) return [{ path: at('summary'), message: read.problem }];
  const { names, open } = argumentsLetIn(input);
  if (open !== undefined)
    return [{ path: at('summary'), message: `cannot show ${open}: close the input` }];
  const unknown = (name: string): string => `names "${name}", which the input does not have`;
  const shown = placesOf(read.parts);
  const places = shown.flatMap((name) => (names.includes(name) ? [] : [unknown(name)]));
  const left = names.filter(
    (name) => !shown.includes(name) && !Object.hasOwn(labels, name) && !hidden.includes(name),
  );
  return [
    ...[...places, ...read.parts.flatMap((part) => filterProblem(part, input) ?? [])].map(
      (message) => ({ path: at('summary'), message }),
    ),
    ...Object.keys(labels)
      .filter((name) => !names.includes(name))
      .map((name) => ({ path: at('labels', name), message: unknown(name) })),
    ...hidden.flatMap((name, i) =>
      names.includes(name) ? [] : [{ path: at('hidden', i), message: unknown(name) }],
    ),
    ...left.map((name) => ({
      path: at('summary'),
      message: `does not show ${name}: name it there, under labels, or under hidden`,
    })),
  ];
}

const placesOf = (parts: readonly SentencePart[]): readonly string[] =>
  parts.flatMap((part) =>
    'text' in part ? [] : [part.name, ...(part.currency === undefined ? [] : [part.currency])],
  );

const TAKES = {
  money: ['integer', 'number'],
  date: ['string'],
  list: ['array'],
  text: ['string'],
} as const;

function filterProblem(part: SentencePart, input: JsonSchema): string | undefined {
  if ('text' in part || part.filter === undefined) return undefined;
  const type = propertiesOf(input)[part.name]?.['type'];
  const takes: readonly string[] = TAKES[part.filter];
  return typeof type !== 'string' || takes.includes(type)
    ? undefined
    : `has {${part.name} | ${part.filter}}, but ${part.name} is ${type}`;
}
