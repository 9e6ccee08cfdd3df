// The demonstration model's answers: from the messages and the tools of a request to calls or an
// answer. Pure, and the same every time. Goes by what happened after the last user message, so that
// sessions and repeated attempts work.

import { z } from 'zod';
import { wantedCalls, type DemoCall, type DemoTool } from './demo-plan.ts';

export interface DemoMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly text: string;
  readonly calls: readonly { readonly id: string; readonly name: string }[];
  /** Of a tool's result. */
  readonly callId: string;
}

export type DemoAnswer =
  | { readonly kind: 'TEXT'; readonly text: string }
  | { readonly kind: 'CALLS'; readonly thought: string; readonly calls: readonly DemoCall[] };

interface ToolResult {
  readonly name: string;
  readonly text: string;
}

const SIGNATURE =
  '_This is the demonstration model: it plays its part without understanding. Set `OPENAI_BASE_URL` and `OPENAI_API_KEY` to use a real one._';

/** The result that a model gets of a call that people refused. */
const REFUSED =
  /^This call was not run: (?:.{1,300}? rejected it(?:: (?<reason>[\s\S]+)|\.)|(?<other>[\s\S]+))$/;

export function demoAnswer(
  messages: readonly DemoMessage[],
  tools: readonly DemoTool[],
): DemoAnswer {
  const at = messages.findLastIndex((message) => message.role === 'user');
  const question = messages[at]?.text ?? '';
  const before = messages.slice(0, Math.max(at, 0));
  const since = messages.slice(at + 1);
  if (asksForFollowUps(question))
    return { kind: 'TEXT', text: JSON.stringify(followUps(messages)) };

  const results = resultsOf(since);
  const refusal = results.map(({ text }) => REFUSED.exec(text)).find((match) => match !== null);
  const lastAnswer = before
    .findLast((message) => message.role === 'assistant' && message.text !== '')
    ?.text.replace(SIGNATURE, '')
    .trim();
  const stages = refusal
    ? []
    : wantedCalls(question, tools, { results: results.map(sentence), lastAnswer });
  const asked = new Set(since.flatMap((message) => message.calls.map((call) => call.name)));
  const calls = stages.find((stage) => stage.some((call) => !asked.has(call.name)));
  if (calls !== undefined)
    return {
      kind: 'CALLS',
      thought: `I need ${calls.map((call) => call.name).join(' and ')} for this.`,
      calls,
    };

  const body = results.length > 0 ? results.map(sentence).join('\n\n') : help(question, tools);
  return { kind: 'TEXT', text: `${body}\n\n${SIGNATURE}` };
}

function resultsOf(since: readonly DemoMessage[]): readonly ToolResult[] {
  const names = new Map(
    since.flatMap((message) => message.calls.map((call) => [call.id, call.name] as const)),
  );
  return since
    .filter((message) => message.role === 'tool')
    .map((message) => ({
      name: names.get(message.callId) ?? 'the tool',
      text: message.text.trim(),
    }));
}

function sentence({ name, text }: ToolResult): string {
  const refused = REFUSED.exec(text);
  if (refused !== null) {
    const reason = refused.groups?.['reason'] ?? refused.groups?.['other'] ?? 'no reason was given';
    return `I did not use ${name}: the request was declined: ${reason}`;
  }
  if (text.startsWith('It is not known whether'))
    return `I cannot say whether ${name} did its work: ${text}`;
  const short = text.length > 1500 ? `${text.slice(0, 1500)}…` : text;
  switch (name) {
    case 'get_stock_price':
      return `The stock price I was given: ${short}`;
    case 'send_email':
      return `The e-mail: ${short}`;
    case 'list_tables':
      return `The tables: ${short}`;
    case 'count_rows':
      return `The count: ${short}`;
    case 'drop_table':
      return `The table: ${short}`;
    case 'search_knowledge':
      return passagesText(text);
    case 'recall':
      return memoriesText(text);
    default:
      return `${name} answered: ${short}`;
  }
}

const Passages = z.object({
  passages: z.array(z.object({ title: z.string(), text: z.string() })),
});
const Memories = z.object({ memories: z.array(z.object({ content: z.string() })) });

/** The passage that fits best, and where else to look. */
function passagesText(text: string): string {
  const [first, ...more] = Passages.safeParse(parsed(text)).data?.passages ?? [];
  if (first === undefined) return 'The documents say nothing about this that I could find.';
  const others = [...new Set(more.map((passage) => passage.title))].filter(
    (title) => title !== first.title,
  );
  const also = others.length === 0 ? '' : `\n\nSee also: ${others.join(', ')}.`;
  return `From "${first.title}":\n\n${first.text.slice(0, 1500)}${also}`;
}

function memoriesText(text: string): string {
  const { memories } = Memories.safeParse(parsed(text)).data ?? { memories: [] };
  return memories.length === 0
    ? 'I remember nothing about this.'
    : `I remember:\n\n${memories.map(({ content }) => `- ${content}`).join('\n')}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const asksForFollowUps = (text: string): boolean =>
  /follow[\s_-]?ups?/i.test(text) && /\bjson\b|\barray\b/i.test(text);

function followUps(messages: readonly DemoMessage[]): readonly string[] {
  const talk = messages.map((message) => message.text).join('\n');
  if (/\btables?\b|database|\brows?\b/i.test(talk))
    return [
      'Which tables are there?',
      'How many rows has the table orders?',
      'What would be lost with old_orders?',
    ];
  if (/stock|price|ticker|e-?mail/i.test(talk))
    return [
      'What is the price of AAPL?',
      'Can you send me this by e-mail?',
      'How does it compare with MSFT?',
    ];
  return ['Can you say more about that?', 'Which tools can you use?', 'What would you do next?'];
}

const EXAMPLES: Readonly<Record<string, string>> = {
  get_stock_price: 'What is the stock price of NVDA?',
  send_email: 'Send an e-mail to ada@example.com with the price of NVDA',
  list_tables: 'Which tables are there?',
  count_rows: 'How many rows has the table orders?',
  drop_table: 'Drop the table old_orders',
  search_knowledge: 'What does the handbook say about approvals?',
  remember: 'Remember that I work in Oslo',
  recall: 'What do you know about me?',
  files_list_directory: 'Which files are there?',
  files_read_text_file: 'What is in opening-hours.md?',
  files_write_file: 'Write "Closed on Monday" into notice.md',
};

function help(question: string, tools: readonly DemoTool[]): string {
  const words = question.trim().replace(/\s+/g, ' ');
  const opening =
    words === ''
      ? 'Hello.'
      : `You wrote: "${words.length > 200 ? `${words.slice(0, 200)}…` : words}".`;
  if (tools.length === 0)
    return `${opening} I have no tools here, so a few words are all I can give.`;
  const offers = tools.map(({ name }) =>
    EXAMPLES[name] === undefined ? `- "Use ${name}"` : `- "${EXAMPLES[name]}"`,
  );
  return `${opening} I can use ${tools.map((tool) => tool.name).join(', ')}. Try:\n\n${offers.join('\n')}`;
}
