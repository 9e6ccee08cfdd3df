// The OpenAPI document and its page, for whoever asks: what they say of the API is no secret.

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { documentationPage, PAGE_STYLE } from './page.ts';
import { createDocument } from './document.ts';
import { agentFileSchema } from '../../agents/file-schema.ts';
import { defineRoute, type Route } from '../http/route.ts';

/** Raised with what callers see; the package's own version says nothing to them. */
const API_VERSION = '1.0.0';

/** No script, nothing from anywhere: only the style that stands in the page. */
const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(PAGE_STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

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
      summary: 'This document as a page',
      answers: {
        200: {
          description: 'HTML, without scripts and without requests to anywhere.',
          schema: z.string(),
          type: 'text/html',
        },
      },
      handle: async () => ({
        status: 200,
        headers: {
          'Content-Type': 'text/html; charset=utf-8',
          'Content-Security-Policy': PAGE_POLICY,
        },
        body: page,
      }),
    }),
  ];
  const document = createDocument([...others, ...own], API_VERSION);
  const page = documentationPage(document);
  return own;
}
