// What Holdpoint is measured against: the same model and tool in a plain loop, nothing kept. `tsx
// bench/plain-loop.ts MODEL_URL TOOL_URL N` prints a line of JSON.

import OpenAI from 'openai';

const [modelUrl = '', toolUrl = '', count = '1', message = ''] = process.argv.slice(2);
const client = new OpenAI({ baseURL: modelUrl, apiKey: 'k', maxRetries: 0 });
const parameters = { type: 'object', properties: { note: { type: 'string' } } };
const tools = [
  {
    type: 'function' as const,
    function: { name: 'look', description: 'The tool look.', parameters },
  },
];

async function run(): Promise<string> {
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: message }];
  for (;;) {
    const stream = client.chat.completions.stream({
      model: 'scripted',
      messages,
      tools,
      stream_options: { include_usage: true },
    });
    const reply = (await stream.finalChatCompletion()).choices[0]?.message;
    const calls = reply?.tool_calls ?? [];
    if (calls.length === 0) return reply?.content ?? '';
    messages.push({ role: 'assistant', content: reply?.content ?? '', tool_calls: calls });
    for (const call of calls) {
      if (call.type !== 'function') continue;
      const answer = await fetch(`${toolUrl}/look`, {
        method: 'POST',
        body: call.function.arguments,
      });
      messages.push({ role: 'tool', tool_call_id: call.id, content: await answer.text() });
    }
  }
}

for (let i = 0; i < 20; i++) await run();
const cpu = process.cpuUsage();
const took: number[] = [];
for (let i = 0; i < Number(count); i++) {
  const began = performance.now();
  await run();
  took.push(performance.now() - began);
}
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ took, cpuMs: (user + system) / 1000 }));
