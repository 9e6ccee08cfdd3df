// What the workflow bundle exports: one name a workflow type.

export { agentRun } from './agent-run.ts';
export { ingestDocument } from './ingest-document.ts';
