// What the client throws, whatever went wrong: one class for each kind, told apart by `instanceof`
// or, where two copies of the package are loaded, by `name`. A run that failed is no error: it is a
// state of the run.

export class HoldpointError extends Error {
  override readonly name: string = 'HoldpointError';
}

/**
 * The server was not reached, or went away before its answer was whole. Everything that may be
 * repeated was repeated before. `cause` is what `fetch` said.
 */
export class ConnectionError extends HoldpointError {
  override readonly name = 'ConnectionError';
}

/** The caller's own signal was aborted; `cause` is its reason. What was asked for may happen. */
export class AbortError extends HoldpointError {
  override readonly name = 'AbortError';
  constructor(reason: unknown) {
    super('The call was aborted.', { cause: reason });
  }
}
