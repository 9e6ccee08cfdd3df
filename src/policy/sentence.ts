// The sentence that people decide by: a template of the agent file, filled with a call's arguments
// once, where the call is stored. What a model wrote is shown so that what is read is what is there:
// hidden characters as their numbers, lengths cut with a word about it. Pure.

import type { ToolSnapshot } from '../contract/agent.ts';
import { visible } from '../json/visible.ts';

export const FILTERS = ['money', 'date', 'list', 'text'] as const;
type Filter = (typeof FILTERS)[number];

export type SentencePart =
  | { readonly text: string }
  | {
      readonly name: string;
      readonly filter?: Filter;
      /** Of `money`: the argument that holds the currency. */
      readonly currency?: string;
    };
export type ReadSentence =
  | { readonly ok: true; readonly parts: readonly SentencePart[] }
  | { readonly ok: false; readonly problem: string };

const PLACE = /\{([^{}|]*)(?:\|([^{}]*))?\}/g;

export function readSentence(template: string): ReadSentence {
  const parts: SentencePart[] = [];
  let end = 0;
  for (const match of template.matchAll(PLACE)) {
    const [whole, name = '', filtered] = match;
    if (match.index > end) parts.push({ text: template.slice(end, match.index) });
    end = match.index + whole.length;
    const place = readPlace(name.trim(), filtered?.trim());
    if (typeof place === 'string') return { ok: false, problem: place };
    parts.push(place);
  }
  if (end < template.length) parts.push({ text: template.slice(end) });
  const loose = parts.some((part) => 'text' in part && /[{}]/.test(part.text));
  return loose
    ? { ok: false, problem: 'has a brace that belongs to no {argument}' }
    : { ok: true, parts };
}

function readPlace(name: string, filtered: string | undefined): SentencePart | string {
  if (name === '') return 'has a place without a name: {argument}';
  if (filtered === undefined) return { name };
  const [word = '', currency, ...more] = filtered.split(':').map((one) => one.trim());
  const filter = FILTERS.find((known) => known === word);
  if (filter === undefined)
    return `has the filter "${word}", which there is not: there are ${FILTERS.join(', ')}`;
  if (currency === undefined) return { name, filter };
  return filter === 'money' && currency !== '' && more.length === 0
    ? { name, filter, currency }
    : `has "${filtered}": only money takes an argument, the one that holds the currency`;
}

type Arguments = Readonly<Record<string, unknown>>;

/** Far above a sentence; a row, an event and a webhook hold it. */
const MAX_CHARS = 8000;

/** undefined: the tool has none. Labels follow the sentence, a line each. */
export function renderSentence(
  { summary, labels = [] }: Pick<ToolSnapshot, 'summary' | 'labels'>,
  args: Arguments,
): string | undefined {
  if (summary === undefined) return undefined;
  const read = readSentence(summary);
  // Only a snapshot that was changed by hand: nothing is better than half a sentence.
  if (!read.ok) return undefined;
  const sentence = read.parts
    .map((part) => ('text' in part ? part.text : filled(part, args)))
    .join('');
  const lines = labels.map(({ name, label }) => `${label}: ${plain(args[name], PLAIN_CHARS)}`);
  return cut([sentence, ...lines].join('\n'), MAX_CHARS);
}

function filled(
  { name, filter, currency }: Exclude<SentencePart, { text: string }>,
  args: Arguments,
): string {
  const value = args[name];
  switch (filter) {
    case 'money':
      return currency === undefined
        ? money(value)
        : `${plain(args[currency], CURRENCY_CHARS)} ${money(value)}`;
    case 'date':
      return date(value);
    case 'list':
      return list(value);
    case 'text':
      return plain(value, TEXT_CHARS);
    default:
      return plain(value, PLAIN_CHARS);
  }
}

const PLAIN_CHARS = 1000;
/** Contract, section 10. */
const TEXT_CHARS = 200;
const CURRENCY_CHARS = 20;
const ITEM_CHARS = 100;
const ITEMS = 20;

const NOTHING = '(none)';

function plain(value: unknown, maxChars: number): string {
  if (value === undefined || value === null) return NOTHING;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text === '' ? '""' : cut(visible(text), maxChars);
}

/** Whole characters, and how many are not shown. */
function cut(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const shown = text.slice(0, maxChars).replace(/[\ud800-\udbff]$/, '');
  return `${shown}… (${text.length - shown.length} more characters)`;
}

/** Minor units, two decimals: `1 234.50`. */
function money(value: unknown): string {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return plain(value, ITEM_CHARS);
  const digits = String(Math.abs(value)).padStart(3, '0');
  const whole = digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ' ');
  return `${value < 0 ? '-' : ''}${whole}.${digits.slice(-2)}`;
}

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i;

/** `2026-03-01 14:05 UTC`; what is no RFC 3339 stays as it is. */
function date(value: unknown): string {
  if (typeof value !== 'string' || !RFC3339.test(value)) return plain(value, ITEM_CHARS);
  const at = new Date(value);
  if (Number.isNaN(at.getTime())) return plain(value, ITEM_CHARS);
  const [day = '', time = ''] = at.toISOString().split('T');
  const clock = time.startsWith('00', 6) ? time.slice(0, 5) : time.slice(0, 8);
  return `${day} ${clock} UTC`;
}

/** An item with a comma in it stands in quotes, so that it is not read as two. */
function list(value: unknown): string {
  if (!Array.isArray(value)) return plain(value, PLAIN_CHARS);
  if (value.length === 0) return NOTHING;
  const items = value.slice(0, ITEMS).map((item: unknown) => {
    const text = plain(item, ITEM_CHARS);
    return typeof item === 'string' && /[,"]/.test(item) ? JSON.stringify(text) : text;
  });
  const more = value.length - items.length;
  return `${items.join(', ')}${more === 0 ? '' : ` and ${more} more`}`;
}
