// How the model's server is reached: the address with its query behind the path, the proxy, the
// sockets. One a model port; its sockets are kept from call to call.

import { Agent, EnvHttpProxyAgent, fetch, type Dispatcher, type Response } from 'undici';

export interface ProxySettings {
  /** For addresses that begin with https. */
  readonly https: string;
  /** Hosts with commas between that are reached without it. */
  readonly none: string;
}

/** A host that does not answer a handshake within it is down. */
const CONNECT_MS = 10_000;
/** Gateways add headers to headers; Node's own limit is a quarter of it. */
const HEADERS_MAX_BYTES = 64 * 1024;

export type SendRequest = (body: string, signal: AbortSignal) => Promise<Response>;

export function createConnection({
  baseUrl,
  apiKey,
  proxy,
  path = 'chat/completions',
  traceparent = () => undefined,
}: {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly proxy?: ProxySettings | undefined;
  /** Behind the path of the address. */
  readonly path?: string;
  /** The header `traceparent`, where the call is traced. */
  readonly traceparent?: (() => string | undefined) | undefined;
}): SendRequest {
  const url = under(baseUrl, path);
  const dispatcher = dispatcherOf(proxy);
  const headers = {
    'content-type': 'application/json',
    accept: 'text/event-stream, application/json',
    'user-agent': 'holdpoint',
    // Azure's name for the key beside everybody's.
    ...(apiKey === '' ? {} : { authorization: `Bearer ${apiKey}` }),
    ...(apiKey !== '' && url.searchParams.has('api-version') ? { 'api-key': apiKey } : {}),
  };
  return (body, signal) => {
    const trace = traceparent();
    return fetch(url, {
      method: 'POST',
      headers: trace === undefined ? headers : { ...headers, traceparent: trace },
      body,
      signal,
      dispatcher,
      // It would post the prompt to whatever host it names.
      redirect: 'error',
    });
  };
}

/** Everything that an address may carry but the path stays where it is. */
function under(baseUrl: string, path: string): URL {
  const url = new URL(baseUrl);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${path}`;
  return url;
}

function dispatcherOf(proxy: ProxySettings | undefined): Dispatcher {
  const options = {
    connect: { timeout: CONNECT_MS },
    maxHeaderSize: HEADERS_MAX_BYTES,
    // The clocks of a call are the adapter's.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  if (proxy === undefined || proxy.https === '') return new Agent(options);
  // Given in full: it would else read the environment, which is config.ts's alone.
  return new EnvHttpProxyAgent({
    ...options,
    httpProxy: '',
    httpsProxy: proxy.https,
    noProxy: proxy.none,
  });
}
