// The OpenAPI document and its page, without a token: they contain no secret.

import { z } from 'zod';
import { createDocument } from './document.ts';
import { REFERENCE_POLICY, referencePage } from './reference-page.ts';
import { agentFileSchema } from '../../agents/file-schema.ts';
import { defineRoute, type Route } from '../http/route.ts';

/** Raised with what callers see; the package's own version means nothing to them. */
const API_VERSION = '1.0.0';

/** `others`: all routes but these two. */
export function documentationRoutes(others: readonly Route[]): readonly Route[] {
  const own: readonly Route[] = [
    defineRoute({
      method: 'GET',
      path: '/openapi.json',
      scope: 'open',
      id: 'readDocument',
      tag: 'service',
      summary: 'This document',
      answers: { 200: { description: 'OpenAPI 3.1.', schema: z.looseObject({}) } },
      handle: async () => ({ status: 200, body: document }),
    }),
    defineRoute({
      method: 'GET',
      path: '/agent-file.schema.json',
      scope: 'open',
      id: 'readAgentFileSchema',
      tag: 'service',
      summary: 'The JSON Schema of agent files, for editors',
      answers: { 200: { description: 'JSON Schema 2020-12.', schema: z.looseObject({}) } },
      handle: async () => ({ status: 200, body: agentFileSchema }),
    }),
    defineRoute({
      method: 'GET',
      path: '/docs',
      scope: 'open',
      id: 'readDocumentation',
      tag: 'service',
      summary: 'This document as a page, with requests to try',
      answers: {
        200: {
          description: 'HTML. It asks nobody but this API.',
          schema: z.string(),
          type: 'text/html',
        },
      },
      handle: async () => ({
        status: 200,
        headers: {
          'Content-Type': 'text/html; charset=utf-8',
          'Content-Security-Policy': REFERENCE_POLICY,
        },
        body: referencePage(document.info.title),
      }),
    }),
  ];
  const document = createDocument([...others, ...own], API_VERSION);
  return own;
}
