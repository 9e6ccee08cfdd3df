// Which calls the demonstration model makes for a message, in stages: a stage's calls go out
// together, the next one sees their results. Goes by words, for the example agents' tools, and for
// any other tool that is named. Pure.

export interface DemoTool {
  readonly name: string;
  readonly description?: string;
  readonly parameters?: object;
}

export interface DemoCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export interface DemoKnown {
  /** The results of the tools since the question, as sentences. */
  readonly results: readonly string[];
  /** The answer before this question, if the session has one. */
  readonly lastAnswer: string | undefined;
}

type Stage = readonly DemoCall[];

const ADDRESS = /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/;
const DEFAULT_RECIPIENT = 'ada@example.com';

export function wantedCalls(
  question: string,
  tools: readonly DemoTool[],
  known: DemoKnown,
): readonly Stage[] {
  const offered = new Set(tools.map((tool) => tool.name));
  const stages = [
    ...financeStages(question, offered, known),
    ...databaseStages(question, offered),
    ...knowingStages(question, offered),
    ...fileStages(question, offered),
    ...refundStages(question, offered),
  ];
  const named = tools.filter((tool) => !STORIED.has(tool.name) && names(question, tool.name));
  if (named.length > 0)
    stages.push(named.map((tool) => ({ name: tool.name, arguments: filled(tool, question) })));
  return stages
    .map((stage) => stage.filter((call) => offered.has(call.name)))
    .filter((stage) => stage.length > 0);
}

const STORIED: ReadonlySet<string> = new Set([
  'get_stock_price',
  'send_email',
  'list_tables',
  'count_rows',
  'drop_table',
  'search_knowledge',
  'recall',
  'remember',
  'forget',
  'files_list_directory',
  'files_read_text_file',
  'files_write_file',
  'refund_payment',
]);

/** Writes a file, reads one that is named, or else lists them. */
function fileStages(question: string, offered: ReadonlySet<string>): Stage[] {
  if (!offered.has('files_list_directory')) return [];
  const file = /\b([\w-]+\.[a-z]{2,4})\b/.exec(question)?.[1];
  if (/\b(write|save|create|note|put)\b/i.test(question)) {
    const content = /["“](.+?)["”]/s.exec(question)?.[1] ?? question;
    const path = file ?? 'note.md';
    return [[{ name: 'files_write_file', arguments: { path, content: `${content}\n` } }]];
  }
  if (file !== undefined) return [[{ name: 'files_read_text_file', arguments: { path: file } }]];
  return /\b(files?|folder|directory|list)\b/i.test(question)
    ? [[{ name: 'files_list_directory', arguments: { path: '.' } }]]
    : [];
}

/** "Refund 12.50 EUR of order o-1001, it came damaged": each order that is named. */
function refundStages(question: string, offered: ReadonlySet<string>): Stage[] {
  const amount = /(?<![\w.-])(\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.(\d{1,2}))?(?![\w-])/.exec(question);
  const orders = question.match(/\bo-\d{1,12}\b/g);
  if (!offered.has('refund_payment') || !/\brefund/i.test(question) || !amount || !orders)
    return [];
  const [, whole = '0', cents = ''] = amount;
  const amountCents = Number(whole.replaceAll(',', '')) * 100 + Number(cents.padEnd(2, '0'));
  const currency = /\b(EUR|USD|GBP)\b/.exec(question)?.[1] ?? 'EUR';
  const reason = /\b(damaged|late|wrong)\b/i.exec(question)?.[1]?.toLowerCase();
  const why = reason === 'wrong' ? 'wrong_item' : (reason ?? 'damaged');
  return [
    orders.map((orderId) => ({
      name: 'refund_payment',
      arguments: { orderId, amountCents, currency, reason: why },
    })),
  ];
}

/** Keeps a memory, asks for memories, or else searches the documents. */
function knowingStages(question: string, offered: ReadonlySet<string>): Stage[] {
  const fact = /\bremember(?: that)?[:,]? (.{3,})/is.exec(question)?.[1];
  if (offered.has('remember') && fact !== undefined)
    return [[{ name: 'remember', arguments: { content: fact.trim().slice(0, 2000) } }]];
  if (offered.has('recall') && /\b(know|remember) (about|of) me\b|\babout me\b/i.test(question))
    return [[{ name: 'recall', arguments: { query: question.slice(0, 2000) } }]];
  return offered.has('search_knowledge') && question.trim() !== ''
    ? [[{ name: 'search_knowledge', arguments: { query: question.slice(0, 2000) } }]]
    : [];
}

function financeStages(question: string, offered: ReadonlySet<string>, known: DemoKnown): Stage[] {
  const stages: Stage[] = [];
  const tickers = tickersIn(question);
  if (tickers.length > 0)
    stages.push(tickers.map((ticker) => ({ name: 'get_stock_price', arguments: { ticker } })));
  const wantsMail =
    ADDRESS.test(question) || /\be-?mails?\b|\bmail\b|\bsend\b|\bforward\b/i.test(question);
  if (wantsMail && offered.has('send_email')) {
    const subject =
      tickers.length > 0 ? `Price of ${tickers.join(', ')}` : 'The report you asked for';
    const body =
      known.results.join('\n') || known.lastAnswer || 'Here is the report you asked for.';
    stages.push([
      {
        name: 'send_email',
        arguments: { to: ADDRESS.exec(question)?.[0] ?? DEFAULT_RECIPIENT, subject, body },
      },
    ]);
  }
  return stages;
}

const COMPANIES: Readonly<Record<string, string>> = {
  nvidia: 'NVDA',
  nvda: 'NVDA',
  apple: 'AAPL',
  aapl: 'AAPL',
  microsoft: 'MSFT',
  msft: 'MSFT',
  google: 'GOOGL',
  googl: 'GOOGL',
  goog: 'GOOG',
  alphabet: 'GOOGL',
  amazon: 'AMZN',
  amzn: 'AMZN',
  tesla: 'TSLA',
  tsla: 'TSLA',
  meta: 'META',
  netflix: 'NFLX',
  nflx: 'NFLX',
  amd: 'AMD',
  intel: 'INTC',
  intc: 'INTC',
  ibm: 'IBM',
  oracle: 'ORCL',
  orcl: 'ORCL',
};
const NO_TICKERS: ReadonlySet<string> = new Set(
  'I A AN THE IS IT OF OR ON IN AT TO BY AND FOR ME MY US WE YOU OK USD EUR GBP AI API PDF CSV JSON URL HTTP WHAT HOW WHO PRICE PRICES STOCK STOCKS SHARE SEND EMAIL MAIL PLEASE NOW TODAY GET SHOW TELL GIVE WITH HI HELLO'.split(
    ' ',
  ),
);

/**
 * Known names anywhere; unknown capitals only where a price is asked for; something to show where
 * none is named.
 */
function tickersIn(question: string): readonly string[] {
  const text = question.replace(new RegExp(ADDRESS, 'g'), ' ');
  const found = new Set<string>();
  for (const word of text.match(/[a-z]+/gi) ?? []) {
    const known = Object.hasOwn(COMPANIES, word.toLowerCase())
      ? COMPANIES[word.toLowerCase()]
      : undefined;
    if (known !== undefined) found.add(known);
  }
  if (found.size > 0) return [...found];
  if (
    !/\bprices?\b|\bquotes?\b|\bstocks?\b|\bshares?\b|\bticker\b|\btrading\b|\bworth\b/i.test(text)
  )
    return [];
  for (const word of text.match(/(?<![\w.-])\$?[A-Z]{1,5}(?![\w-])/g) ?? []) {
    const symbol = word.replace('$', '');
    if (!NO_TICKERS.has(symbol)) found.add(symbol);
  }
  return found.size > 0 ? [...found] : ['NVDA'];
}

function databaseStages(question: string, offered: ReadonlySet<string>): Stage[] {
  const stages: Stage[] = [];
  const drops =
    offered.has('drop_table') &&
    /\b(drop|delete|remove|destroy|wipe|erase|get rid of)\b/i.test(question);
  const counts =
    offered.has('count_rows') &&
    /\bhow many\b|\bcount\b|\bnumber of\b|\bhow (big|large)\b|\brows\b/i.test(question);
  const countsTables = /\b(how many|number of|count)( \w+)? tables\b/i.test(question);
  const lists =
    countsTables ||
    /\b(which|what|list|show|all|see)\b.*\btables\b|\btables (are|do|exist)\b|\bschema\b/i.test(
      question,
    ) ||
    (!drops && !counts && /\btables?\b|\bdatabase\b/i.test(question));
  if (lists) stages.push([{ name: 'list_tables', arguments: {} }]);
  if (counts && !countsTables)
    stages.push([{ name: 'count_rows', arguments: { table: tableIn(question) ?? 'orders' } }]);
  if (drops)
    stages.push([{ name: 'drop_table', arguments: { table: tableIn(question) ?? 'old_orders' } }]);
  return stages;
}

const NO_TABLES: ReadonlySet<string> = new Set(
  'the a an all my our this that it them table tables row rows records entries lines there are is in of from has have does do for please now data database old'.split(
    ' ',
  ),
);

/**
 * The most telling place first: quoted, snake_case, beside the word table, after what is done to
 * it.
 */
function tableIn(question: string): string | undefined {
  const places = [
    /[`"']([A-Za-z_]\w*)[`"']/g,
    /\b([A-Za-z]+_\w+)\b/g,
    /\btable (?:called |named )?(\w+)/gi,
    /\b(\w+) table\b/gi,
    /\b(?:drop|delete|remove|destroy|wipe|erase|get rid of|in|of|from|how many|count|number of)\s+(?:the |all |all the |my |our )?(\w+)/gi,
  ];
  const words = places.flatMap((place) =>
    [...question.matchAll(place)].map((match) => match[1] ?? ''),
  );
  return words.find(
    (word) => word !== '' && !NO_TABLES.has(word.toLowerCase()) && !STORIED.has(word),
  );
}

/** Whether the message names a tool: `make_coffee` and `make coffee` both do. */
const names = (question: string, tool: string): boolean =>
  question.toLowerCase().replace(/[_-]/g, ' ').includes(tool.toLowerCase().replace(/[_-]/g, ' '));

interface Schema {
  readonly type?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

/**
 * Something that a tool's schema is likely to take: what is required, from the message where it has
 * a number or a quotation.
 */
function filled(tool: DemoTool, question: string): Readonly<Record<string, unknown>> {
  const { properties = {}, required = [] } = (tool.parameters ?? {}) as Schema;
  return Object.fromEntries(
    required.map((key) => [key, valueFor(properties[key] ?? {}, question)]),
  );
}

function valueFor(schema: Schema, question: string): unknown {
  if (schema.enum !== undefined) return schema.enum[0];
  switch (schema.type) {
    case 'number':
    case 'integer':
      return Number(/-?\d+/.exec(question)?.[0] ?? 1);
    case 'boolean':
      return true;
    case 'array':
      return [];
    case 'object':
      return {};
    default:
      return /["“](.+?)["”]/.exec(question)?.[1] ?? question;
  }
}
