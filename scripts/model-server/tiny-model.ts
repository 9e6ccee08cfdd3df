// A llama of one layer with weights set by hand, for a machine without a model: it runs on a real
// inference server, through that server's own tokenizer, chat template, grammar and parser, and
// says something sensible for each case the port is tried with. 3 MB, made in milliseconds.
//
// How it thinks: every token has a dimension of its own, and the output matrix says which token
// follows which. One attention head looks for cue words in the prompt (the strongest wins); what it
// finds decides how the reply begins. Nothing is random.

import { ggufFile, type GgufTensor } from './gguf.ts';

/** Token types of the format. */
const NORMAL = 1;
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;
const BYTE = 6;

/**
 * A word somewhere in the prompt, and the reply that it brings about. The later in this list, the
 * stronger.
 */
const CUES: readonly {
  readonly word: string;
  readonly reply: readonly string[];
  readonly loopsTo?: string;
}[] = [
  {
    word: '<tools>',
    reply: [
      '<tool_call>',
      '\n{"name":▁',
      '"get_stock_price"',
      ',▁"arguments":▁{',
      '"ticker":▁',
      '"N',
      'VD',
      'A"',
      '}}\n',
      '</tool_call>',
    ],
  },
  {
    word: 'both',
    reply: [
      ...[
        '▁<tool_call>\n',
        '{"name":▁"get_stock',
        '_price",▁"arguments":▁',
        '{"ticker":▁"AA',
        'PL"}}\n</tool_call>',
      ],
      ...[
        '\n<tool_call>\n{',
        '"name":▁"get_stock_price',
        '",▁"arguments":▁{"ticker":',
        '▁"MS',
        'FT"}}\n</tool_call>\n',
      ],
    ],
  },
  {
    word: 'courier',
    // In the order in which the database keeps the schema's properties: a grammar made of it
    // expects them so.
    reply: [
      ...[
        'I▁will▁',
        'send▁',
        'it.\n',
        '<tool_call>\n{"name":',
        '▁"send_email",▁',
        '"arguments":▁{"to":▁"ada@',
        'example.com",▁',
      ],
      ...['"body":▁"It▁is▁', 'at▁181.50.",▁', '"subject":▁"NVDA"}}', '\n</tool_call>\n\n'],
    ],
  },
  {
    word: 'ponder',
    reply: [
      '<think>',
      '\nThe▁user▁',
      'wants▁me▁',
      'to▁think.\n',
      '</think>',
      '\n\nI▁',
      'have▁',
      'thought.',
    ],
  },
  { word: '<tool_response>', reply: ['NVDA▁', 'is▁at▁', '181.50▁', 'dollars.'] },
  { word: 'endless', reply: ['and▁', 'on▁'], loopsTo: 'and▁' },
];
const GREETING = [
  ...['Good▁', 'day▁', 'to▁', 'you▁', 'from▁', 'a▁', 'small▁', 'model▁'],
  // é and a smile, a byte a token
  ...['<0xC3>', '<0xA9>', '▁', '<0xF0>', '<0x9F>', '<0x99>', '<0x82>'],
];
const END = '<|im_end|>';
/** The last token of the prompt: the line break after `<|im_start|>assistant`. */
const START = '<0x0A>';

const WIDTH = 384;
const HEAD = 64;
/** What follows what, over what a cue asks for, over how a reply begins without one. */
const FOLLOWS = 100;
const CUED = 50;
const UNCUED = 25;
/**
 * Between one cue and the next, in exponents: a cue must outweigh a whole context of tokens that
 * are none.
 */
const CUE_STEP = 15;

const TEMPLATE = `{%- set ns = namespace(system='') %}
{%- for message in messages %}{% if message.role == 'system' %}
{%- if not loop.first %}{{ raise_exception('System message must be at the beginning.') }}{% endif %}
{%- set ns.system = message.content %}{% endif %}{% endfor %}
{%- if tools or ns.system %}
    {{- '<|im_start|>system\\n' + ns.system }}
    {%- if tools %}
        {{- '\\n\\n# Tools\\n\\nFunction signatures:\\n<tools>' }}
        {%- for tool in tools %}{{- '\\n' + (tool | tojson) }}{% endfor %}
        {{- '\\n</tools>\\n\\nFor each function call return a json object within these tags:\\n<tool_call>\\n{"name": <function-name>, "arguments": <args-json-object>}\\n</tool_call>' }}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {{- '<|im_start|>user\\n' + message.content + '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>assistant\\n' }}
        {%- if message.reasoning_content %}{{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}{% endif %}
        {%- if message.content %}{{- message.content }}{% endif %}
        {%- for call in message.tool_calls or [] %}
            {%- if not loop.first or message.content %}{{- '\\n' }}{% endif %}
            {{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
            {%- if call.function.arguments is string %}{{- call.function.arguments }}{% else %}{{- call.function.arguments | tojson }}{% endif %}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == 'tool' %}
        {{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif %}`;

interface Token {
  readonly text: string;
  readonly type: number;
}

export function tinyModel({ contextTokens }: { readonly contextTokens: number }): Buffer {
  const tokens = vocabulary();
  const id = (text: string): number => {
    const found = tokens.findIndex((token) => token.text === text);
    if (found < 0) throw new Error(`no token ${text}`);
    return found;
  };
  const flag = (cue: number): number => WIDTH - 1 - cue; // a dimension that no token uses
  if (id(UNUSED_FROM(0)) > WIDTH - CUES.length)
    throw new Error('WIDTH is too small for this vocabulary');

  const query = matrix();
  const key = matrix();
  const value = matrix();
  const back = matrix();
  const output = matrix();
  const looks = HEAD - 2; // of the head's dimensions the one that position turns least
  for (let token = 0; token < WIDTH; token++) query.set(looks, token, 1);
  for (const [at, { word, reply, loopsTo }] of CUES.entries()) {
    key.set(looks, id(word), (at + 1) * CUE_STEP * Math.sqrt(HEAD));
    value.set(at, id(word), 1);
    back.set(flag(at), at, 1);
    output.set(id(reply[0] ?? END), flag(at), CUED);
    chain(reply, loopsTo ?? END);
  }
  output.set(id(GREETING[0] ?? END), id(START), UNCUED);
  chain(GREETING, END);

  function chain(reply: readonly string[], end: string): void {
    for (const [at, text] of reply.entries())
      output.set(id(reply[at + 1] ?? end), id(text), FOLLOWS);
  }

  const identity = matrix();
  for (let at = 0; at < WIDTH; at++) identity.set(at, at, 1);
  const one = (name: string): GgufTensor => ({
    name,
    shape: [WIDTH],
    data: new Float32Array(WIDTH).fill(1 / Math.sqrt(WIDTH)),
  });
  const square = (name: string, { data }: Matrix): GgufTensor => ({
    name,
    shape: [WIDTH, WIDTH],
    data,
  });
  const zero = (name: string, columns: number, rows: number): GgufTensor => ({
    name,
    shape: [columns, rows],
    data: new Float32Array(columns * rows),
  });
  return ggufFile(
    {
      'general.architecture': { type: 'string', value: 'llama' },
      'general.name': { type: 'string', value: 'tiny' },
      'llama.block_count': { type: 'u32', value: 1 },
      'llama.context_length': { type: 'u32', value: contextTokens },
      'llama.embedding_length': { type: 'u32', value: WIDTH },
      'llama.feed_forward_length': { type: 'u32', value: HEAD },
      'llama.attention.head_count': { type: 'u32', value: WIDTH / HEAD },
      'llama.attention.head_count_kv': { type: 'u32', value: WIDTH / HEAD },
      'llama.attention.layer_norm_rms_epsilon': { type: 'f32', value: 1e-6 },
      'llama.rope.dimension_count': { type: 'u32', value: HEAD },
      'llama.rope.freq_base': { type: 'f32', value: 1e9 },
      'tokenizer.ggml.model': { type: 'string', value: 'llama' },
      'tokenizer.ggml.tokens': { type: 'strings', value: tokens.map((token) => token.text) },
      'tokenizer.ggml.scores': { type: 'f32s', value: tokens.map((_, at) => -at) },
      'tokenizer.ggml.token_type': { type: 'i32s', value: tokens.map((token) => token.type) },
      'tokenizer.ggml.bos_token_id': { type: 'u32', value: id('<|im_start|>') },
      'tokenizer.ggml.eos_token_id': { type: 'u32', value: id(END) },
      'tokenizer.ggml.unknown_token_id': { type: 'u32', value: id('<unk>') },
      'tokenizer.ggml.add_bos_token': { type: 'bool', value: false },
      'tokenizer.ggml.add_space_prefix': { type: 'bool', value: false },
      'tokenizer.chat_template': { type: 'string', value: TEMPLATE },
    },
    [
      square('token_embd.weight', identity),
      one('output_norm.weight'),
      square('output.weight', output),
      one('blk.0.attn_norm.weight'),
      square('blk.0.attn_q.weight', query),
      square('blk.0.attn_k.weight', key),
      square('blk.0.attn_v.weight', value),
      square('blk.0.attn_output.weight', back),
      one('blk.0.ffn_norm.weight'),
      zero('blk.0.ffn_gate.weight', WIDTH, HEAD),
      zero('blk.0.ffn_up.weight', WIDTH, HEAD),
      zero('blk.0.ffn_down.weight', HEAD, WIDTH),
    ],
  );
}

interface Matrix {
  readonly data: Float32Array;
  set(row: number, column: number, value: number): void;
}

function matrix(): Matrix {
  const data = new Float32Array(WIDTH * WIDTH);
  return { data, set: (row, column, value) => void (data[row * WIDTH + column] = value) };
}

const UNUSED_FROM = (at: number): string => `<|unused_${at}|>`;

/**
 * Marks, every byte (so that any text has tokens), the cues, the pieces of the replies; the rest up
 * to WIDTH is unused.
 */
function vocabulary(): readonly Token[] {
  const tokens: Token[] = [
    { text: '<unk>', type: UNKNOWN },
    { text: '<|im_start|>', type: CONTROL },
    { text: END, type: CONTROL },
    ...Array.from({ length: 256 }, (_, byte) => ({
      text: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
      type: BYTE,
    })),
    ...['</tools>', '</tool_response>', '<tool_call>', '</tool_call>', '<think>', '</think>'].map(
      (text) => ({ text, type: USER_DEFINED }),
    ),
    ...CUES.map(({ word }) => ({ text: word, type: USER_DEFINED })),
    { text: '▁', type: NORMAL },
  ];
  for (const text of [...CUES.flatMap(({ reply }) => reply), ...GREETING])
    if (!tokens.some((token) => token.text === text)) tokens.push({ text, type: NORMAL });
  for (let at = 0; tokens.length < WIDTH; at++)
    tokens.push({ text: UNUSED_FROM(at), type: UNUSED });
  return tokens;
}
