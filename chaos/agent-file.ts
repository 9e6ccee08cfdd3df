// The agent that the program runs: each tool guarded or not, honouring keys or not. A header says
// which worker made a call.

const tool = (
  sink: string,
  name: string,
  approval: 'required' | 'never',
  idempotent: boolean,
): string => `
  - name: ${name}
    description: The tool ${name}.
    input: { type: object, properties: { text: { type: string } }, required: [text] }
    http: { method: POST, url: "${sink}/${name}", headers: { X-Chaos-Worker: "\${CHAOS_WORKER}" } }
    approval: ${approval}
    idempotent: ${idempotent}
    timeoutMs: 4000`;

export const AGENT_FILE = (sink: string): string => `id: chaos
name: Chaos
description: Does what its message plans.
model: scripted
instructions: Do what the message plans.
tools:${tool(sink, 'note', 'never', true)}${tool(sink, 'post', 'never', false)}${tool(sink, 'mail', 'required', true)}${tool(sink, 'pay', 'required', false)}
limits: { maxTurns: 12, maxToolCalls: 20, maxRepeats: 3, maxTotalTokens: 10000000, timeoutMs: 200000 }
`;
