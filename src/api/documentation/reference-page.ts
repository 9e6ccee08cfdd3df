// The page at /docs: Swagger UI over /openapi.json, all of it served from here. Its policy lets it
// send requests to this API alone, and run no script written into the page.

import { createRequire } from 'node:module';
import type { ApiMiddleware } from '../http/api-context.ts';
import { readStaticFile, sendFile, staticFile, type StaticFile } from '../http/static-files.ts';

/** What Swagger UI writes into its page is no style element: none need be allowed. */
export const REFERENCE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  // Its style sheet has its icons in it.
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export const referencePage = (title: string): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title} API</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css">
    <script src="/docs/swagger-ui-bundle.js" defer></script>
    <script src="/docs/open-reference.js" defer></script>
  </head>
  <body>
    <div id="reference"></div>
    <noscript>This page needs JavaScript. The same document: <a href="/openapi.json">/openapi.json</a></noscript>
  </body>
</html>
`;

/** validatorUrl null: the document is shown to no validator on the web. */
const OPEN_REFERENCE = `window.addEventListener('DOMContentLoaded', () => {
  SwaggerUIBundle({
    url: '/openapi.json',
    dom_id: '#reference',
    deepLinking: true,
    docExpansion: 'list',
    filter: true,
    validatorUrl: null,
    persistAuthorization: false,
    displayRequestDuration: true,
    presets: [SwaggerUIBundle.presets.apis],
  });
});
`;

/** The page's style sheet and scripts. They are read at the first request. */
export function referenceFiles(): ApiMiddleware {
  let files: ReadonlyMap<string, StaticFile> | undefined;
  return async (ctx, next) => {
    const name = /^\/docs\/([\w.-]+)$/.exec(ctx.path)?.[1];
    if (name === undefined || (ctx.method !== 'GET' && ctx.method !== 'HEAD')) return next();
    files ??= readFiles();
    const file = files.get(name);
    return file === undefined ? next() : sendFile(ctx, file);
  };
}

function readFiles(): ReadonlyMap<string, StaticFile> {
  const { resolve } = createRequire(import.meta.url);
  const files = [
    ['swagger-ui.css', readStaticFile(resolve('swagger-ui-dist/swagger-ui.css'))],
    ['swagger-ui-bundle.js', readStaticFile(resolve('swagger-ui-dist/swagger-ui-bundle.js'))],
    ['open-reference.js', staticFile('open-reference.js', Buffer.from(OPEN_REFERENCE))],
  ] as const;
  return new Map(files.flatMap(([name, file]) => (file === undefined ? [] : [[name, file]])));
}
