// The document as one page of HTML: no script, no request to anywhere, readable in any browser and
// printed.

import type {
  Answered,
  JsonSchema,
  OpenApiDocument,
  Operation,
  Parameter,
} from './openapi-document.ts';

export const PAGE_STYLE = `
:root { color-scheme: light dark; --edge: #8886; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1.5rem; }
code, pre { font: .875em/1.45 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; border-radius: .4rem; white-space: pre-wrap; }
details { border: 1px solid var(--edge); border-radius: .4rem; margin: .5rem 0; padding: .5rem .75rem; }
details details { border-style: dashed; }
summary { cursor: pointer; } summary b { display: inline-block; min-width: 4.2rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-top: 1px solid var(--edge); }
nav a { margin-right: .8rem; }
`;

const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
/** Paragraphs and `code`, as the notes use them. */
const prose = (text: string): string =>
  text
    .split('\n\n')
    .map((part) => `<p>${inline(part)}</p>`)
    .join('');
const inline = (text: string): string => escaped(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
const json = (value: unknown): string => `<pre>${escaped(JSON.stringify(value, null, 2))}</pre>`;

export function documentationPage(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
  const sections = document.tags.map(({ name, description }) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(name));
    return `<h2 id="${name}">${escaped(name)}</h2>${prose(description)}${own.map((o) => operationHtml(o.method, o.path, o.operation)).join('')}`;
  });
  const schemas = Object.entries(document.components.schemas).map(([name, schema]) =>
    schemaHtml(name, schema),
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(document.info.title)} API</title><style>${PAGE_STYLE}</style></head>
<body><h1>${escaped(document.info.title)} API <small>${escaped(document.info.version)}</small></h1>${prose(document.info.description)}
<p>The same for programs: <a href="/openapi.json"><code>/openapi.json</code></a></p>
<nav>${document.tags.map(({ name }) => `<a href="#${name}">${escaped(name)}</a>`).join('')}<a href="#schemas">schemas</a></nav>
${sections.join('\n')}
<h2 id="schemas">schemas</h2>${schemas.join('\n')}
</body></html>
`;
}

const operationHtml = (method: string, path: string, o: Operation): string => `
<details id="${escaped(o.operationId)}"><summary><b>${method}</b> <code>${escaped(path)}</code> ${inline(o.summary)}</summary>
${prose(o.description ?? '')}${parametersHtml(o.parameters)}
${o.requestBody === undefined ? '' : `<h4>Body</h4>${contentHtml(o.requestBody.content)}`}
<h4>Answers</h4>${Object.entries(o.responses)
  .map(([status, answer]) => answerHtml(status, answer))
  .join('')}</details>`;

const parametersHtml = (parameters: readonly Parameter[]): string =>
  parameters.length === 0
    ? ''
    : `<table><tr><th>Parameter</th><th>in</th><th></th></tr>${parameters
        .map(
          (p) =>
            `<tr><td><code>${escaped(p.name)}</code></td><td>${p.in}</td><td>${inline(p.description)} ${typeHtml(p.schema)}</td></tr>`,
        )
        .join('')}</table>`;

const answerHtml = (status: string, answer: Answered): string =>
  `<details><summary><b>${status}</b> ${inline(answer.description)}</summary>${contentHtml(answer.content ?? {})}</details>`;

const contentHtml = (content: NonNullable<Answered['content']>): string =>
  Object.entries(content)
    .map(([type, { schema, examples = {} }]) => {
      const shown = Object.entries(examples).map(
        ([name, { summary, value }]) => `<p>${inline(summary ?? name)}</p>${json(value)}`,
      );
      return `<p><code>${escaped(type)}</code> ${typeHtml(schema)}</p>${shown.join('')}`;
    })
    .join('');

/** A link to the named schema, else the schema itself, short ones in a line. */
function typeHtml(schema: JsonSchema): string {
  const ref = schema['$ref'];
  if (typeof ref === 'string') {
    const name = ref.split('/').at(-1) ?? '';
    return `<a href="#schema-${escaped(name)}">${escaped(name)}</a>`;
  }
  return `<code>${escaped(JSON.stringify(schema))}</code>`;
}

function schemaHtml(name: string, schema: JsonSchema): string {
  const { description, ...plain } = schema;
  return `<details id="schema-${escaped(name)}"><summary>${escaped(name)}</summary>${typeof description === 'string' ? prose(description) : ''}${json(plain)}</details>`;
}
