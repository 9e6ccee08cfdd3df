// What routes are about: the sections of the API's documentation, in order.

export const TAGS = {
  runs: 'Starting, reading, streaming and cancelling runs.',
  decisions: 'What waits for people, and their votes.',
  sessions: 'Conversations.',
  knowledge: 'Bases of documents that agents search.',
  memories: 'What is remembered of a user.',
  webhooks: 'Who is told what happens, for admins.',
  agents: 'What can be asked.',
  usage: 'What was used.',
  audit: 'Who did what, for admins.',
  mcp: 'The same for clients of the Model Context Protocol.',
  service: 'The service itself. No token.',
} as const;

export type Tag = keyof typeof TAGS;
