// The agent file of the contract's section 5.

export const CONTRACT_SAMPLE = `
id: finance_agent
name: Finance agent
description: Looks prices up and sends reports.
active: true
orgs: [acme]
model: gpt-4o
models: [gpt-4o, gpt-4o-mini]
fallbackModels: [gpt-4o-mini]
vision: false
audio: false
temperature: 0.2
maxTokens: 1024
instructions: You answer questions about stocks.
tools:
  - get_stock_price
  - name: send_email
    description: Sends an e-mail.
    input:
      type: object
      properties: { to: { type: string }, body: { type: string } }
      required: [to, body]
    http: { method: POST, url: "http://127.0.0.1:9000/email", headers: { Authorization: "Bearer \${EMAIL_TOKEN}" } }
    readOnly: false
    idempotent: true
    approval: required
    risk: normal
    approvers: ["role:finance-lead"]
    timeoutMs: 10000
limits: { maxTurns: 25, maxToolCalls: 50, maxRepeats: 3, maxTotalTokens: 200000, historyTokens: 32000, timeoutMs: 240000, maxRejections: 3, modelTimeoutMs: 240000 }
approvals: { expiresAfter: 24h, quorum: 1, fourEyes: false, askAgain: never }
`;
