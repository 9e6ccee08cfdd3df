// Requests made from the OpenAPI document: valid, nearly valid, raw bytes. Every answer must be one
// that the document names, below 500, within 5 s. A seed makes the same requests again.

import { request as httpRequest } from 'node:http';
import { createRoutes } from '../../src/api/app.ts';
import type { AppDeps } from '../../src/api/deps.ts';
import { createDocument } from '../../src/api/documentation/document.ts';
import type { OpenApiDocument, Operation } from '../../src/api/documentation/openapi-document.ts';
import { createRandom } from '../rig/random.ts';
import { tellsNothing } from '../rig/tells-nothing.ts';
import { createDocumentCheck } from './document-check.ts';
import type { Reply } from './api-rig.ts';

export interface FuzzOptions {
  readonly url: string;
  readonly token: string;
  readonly seed: number;
  readonly requests: number;
  /** Ids that exist, so that requests get past the first check. */
  readonly known: Readonly<Record<string, readonly string[]>>;
}

export interface FuzzResult {
  readonly findings: readonly string[];
  readonly byStatus: ReadonlyMap<number, number>;
}

const HANG_MS = 5000;
const AT_ONCE = 8;

type Json = Readonly<Record<string, unknown>>;

export async function fuzz({
  url,
  token,
  seed,
  requests,
  known,
}: FuzzOptions): Promise<FuzzResult> {
  const table = createRoutes({
    agents: new Map(),
    syncWaitMaxMs: 1000,
    draining: new AbortController().signal,
  } as unknown as AppDeps);
  const document = createDocument(table, '1');
  const check = createDocumentCheck(document);
  const { next: random, pick, chance } = createRandom(seed);
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation,
    })),
  );

  const text = (): string =>
    pick([
      'answer',
      '',
      'x',
      'é🙂',
      '../..',
      "a'b",
      '%',
      '\u0001',
      'null',
      '-1',
      '1e9',
      'x'.repeat(300),
      '__proto__',
    ]);
  const junk = (): unknown =>
    pick<unknown>([
      null,
      true,
      -1,
      1.5,
      2 ** 53,
      text(),
      [],
      {},
      [text()],
      { a: { b: [1] } },
      'x'.repeat(200_000),
    ]);
  const valueOf = (schema: Json, depth = 0): unknown => {
    if (chance(0.06) || depth > 6) return junk();
    if (typeof schema['$ref'] === 'string')
      return valueOf(resolve(document, schema['$ref']), depth + 1);
    if (Array.isArray(schema['enum'])) return pick(schema['enum'] as unknown[]);
    if ('const' in schema) return schema['const'];
    const branches = (schema['anyOf'] ?? schema['oneOf']) as Json[] | undefined;
    if (branches !== undefined) return valueOf(pick(branches), depth + 1);
    switch (schema['type']) {
      case 'object': {
        const required = (schema['required'] ?? []) as string[];
        const fields = Object.entries((schema['properties'] ?? {}) as Record<string, Json>).filter(
          ([n]) => chance(required.includes(n) ? 0.97 : 0.3),
        );
        return Object.fromEntries([
          ...fields.map(([n, s]) => [n, named(n) ?? valueOf(s, depth + 1)]),
          ...(chance(0.05) ? [[text(), junk()]] : []),
        ]);
      }
      case 'array':
        return Array.from({ length: Math.floor(random() * 3) }, () =>
          valueOf((schema['items'] ?? {}) as Json, depth + 1),
        );
      case 'integer':
      case 'number':
        return pick([0, 1, 2, 20, 100, -1, 101, 1.5]);
      case 'boolean':
        return chance(0.5);
      default:
        return text();
    }
  };
  const named = (name: string): string | undefined =>
    known[name] !== undefined && chance(0.7) ? pick(known[name]) : undefined;

  const make = () => {
    const { path, method, operation } = pick(operations);
    const parameters: Operation['parameters'] = operation.parameters;
    const address = path.replaceAll(
      /\{(\w+)\}/g,
      (_, name: string) => named(name) ?? (encodeURIComponent(text()) || 'x'),
    );
    const query = parameters
      .filter((p) => p.in === 'query' && chance(0.25))
      .map(
        ({ name, schema }) =>
          `${name}=${encodeURIComponent(String(named(name) ?? valueOf(schema as Json)).slice(0, 2000))}`,
      );
    if (chance(0.03)) query.push(pick(['colour=1', '%zz', 'limit=1&limit=2', '=', 'a[b]=c']));
    const headers: Record<string, string> = {
      ...(chance(0.95) ? { authorization: `Bearer ${token}` } : {}),
      ...(chance(0.1)
        ? { 'idempotency-key': pick(['k', '"k"', 'x'.repeat(256), '""', 'a b']) }
        : {}),
      ...(chance(0.5)
        ? { prefer: pick(['wait=0', 'respond-async', 'wait=x', ';;', 'wait=1']) }
        : {}),
      ...(chance(0.1) ? { 'last-event-id': pick(['1.0', '0', 'x', '9999.9', '-1']) } : {}),
    };
    const schema = operation.requestBody?.content['application/json']?.schema as Json | undefined;
    let body: Buffer | undefined;
    if (schema !== undefined || chance(0.03)) {
      const valid = Buffer.from(JSON.stringify(valueOf(schema ?? {})) ?? 'null');
      body = chance(0.9)
        ? valid
        : chance(0.5)
          ? valid.subarray(0, Math.floor(random() * valid.length))
          : Buffer.from(Array.from({ length: 40 }, () => Math.floor(random() * 256)));
      headers['content-type'] = chance(0.95)
        ? 'application/json'
        : pick(['text/plain', 'application/json; charset=latin1', 'x']);
      if (chance(0.03)) headers['content-encoding'] = pick(['gzip', 'br', 'x']);
    }
    return {
      method: chance(0.97) ? method : pick(['PUT', 'PATCH', 'DELETE', 'POST', 'GET']),
      address: query.length > 0 ? `${address}?${query.join('&')}` : address,
      headers,
      body,
    };
  };

  const findings: string[] = [];
  const byStatus = new Map<number, number>();
  const todo = Array.from({ length: requests }, make);
  const worker = async (): Promise<void> => {
    for (let one = todo.pop(); one !== undefined; one = todo.pop()) {
      const what = `${one.method} ${one.address.slice(0, 200)} ${one.body?.toString().slice(0, 300) ?? ''}`;
      try {
        const reply = await send(url, one);
        byStatus.set(reply.status, (byStatus.get(reply.status) ?? 0) + 1);
        if (reply.status >= 500)
          findings.push(`${reply.status}: ${what}: ${reply.text.slice(0, 300)}`);
        tellsNothing({ method: one.method, ...reply });
        check.holds(one.method, one.address, reply);
      } catch (error) {
        findings.push(
          `${error instanceof Error ? error.message.slice(0, 600) : String(error)}: ${what}`,
        );
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return { findings, byStatus };
}

const resolve = (document: OpenApiDocument, ref: string): Json =>
  document.components.schemas[ref.split('/').at(-1) ?? ''] as Json;

interface Made {
  readonly method: string;
  readonly address: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer | undefined;
}

/** A stream counts as answered once its head is there. */
function send(url: string, { method, address, headers, body }: Made): Promise<Reply> {
  return new Promise((done, fail) => {
    const { hostname, port } = new URL(url);
    // By hand: node's client sends the body of a GET without saying how long it is.
    const framed =
      body === undefined ? headers : { ...headers, 'content-length': String(body.length) };
    const req = httpRequest(
      { hostname, port, method, path: address, headers: framed, agent: false, timeout: HANG_MS },
      (res) => {
        const chunks: Buffer[] = [];
        const finish = (): void => {
          const all = Buffer.concat(chunks).toString();
          const json: unknown =
            all !== '' && /json/.test(res.headers['content-type'] ?? '')
              ? JSON.parse(all)
              : undefined;
          done({ status: res.statusCode ?? 0, headers: res.headers, text: all, json });
          req.destroy();
        };
        if (/event-stream/.test(res.headers['content-type'] ?? '')) return finish();
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('end', finish);
      },
    );
    req.on('timeout', () => req.destroy(new Error(`no answer within ${HANG_MS} ms`)));
    req.on('error', fail);
    req.end(body);
  });
}
