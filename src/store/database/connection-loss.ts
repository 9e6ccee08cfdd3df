// What an error of the database says: repeat it, or it is away. By codes, except where pg gives
// none.

const codeOf = (error: unknown): string => {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
};

/** A transaction that the database asks to repeat. */
export const isConflict = (error: unknown): boolean => ['40001', '40P01'].includes(codeOf(error));

/**
 * SQLSTATE classes 08 (connection), 57P (shutdown), 53 (resources), timeouts; and what node and pg
 * say when a socket broke.
 */
export function isConnectionLoss(error: unknown): boolean {
  const code = codeOf(error);
  if (
    /^(08|57P|53|57014|25P03)/.test(code) ||
    /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EHOSTUNREACH|ENOENT)/.test(code)
  )
    return true;
  // pg gives these no code; the last is what a connection says that prepared a statement before a
  // migration: a new one prepares it anew
  const text = error instanceof Error ? error.message : '';
  return /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|cached plan must not change result type)/.test(
    text,
  );
}
