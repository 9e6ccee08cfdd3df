// The admin commands' way to the API: by address and token, as any caller.

export interface AdminApi {
  /** The answer's body; throws the problem as a sentence. */
  readonly ask: (method: string, path: string) => Promise<unknown>;
  /** Every item of a list that comes in pages. */
  readonly list: (path: string) => AsyncGenerator<Readonly<Record<string, unknown>>>;
}

const ANSWER_WITHIN_MS = 30_000;

export function createAdminApi(url: string, token: string): AdminApi {
  const ask: AdminApi['ask'] = async (method, path) => {
    const answered = await fetch(`${url}${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, Prefer: 'respond-async' },
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    }).catch((cause: unknown) => {
      throw new Error(`${url} does not answer. Is it the API’s address (--url or HOLDPOINT_URL)?`, {
        cause,
      });
    });
    const text = await answered.text();
    if (answered.ok) return text === '' ? undefined : JSON.parse(text);
    throw new Error(`${answered.status}: ${detailOf(text)}`);
  };
  return {
    ask,
    list: async function* (path) {
      let after = '';
      do {
        const page = (await ask(
          'GET',
          `${path}${path.includes('?') ? '&' : '?'}limit=100${after}`,
        )) as {
          readonly data: readonly Readonly<Record<string, unknown>>[];
          readonly nextCursor: string | null;
        };
        yield* page.data;
        after = page.nextCursor === null ? '' : `&after=${encodeURIComponent(page.nextCursor)}`;
      } while (after !== '');
    },
  };
}

function detailOf(text: string): string {
  try {
    const { detail } = JSON.parse(text) as { readonly detail?: unknown };
    return String(detail);
  } catch {
    return 'the answer is no problem of Holdpoint’s: something else listens there.';
  }
}
