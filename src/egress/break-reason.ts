// Why a connection did not come about or broke, in words a model may read: never the error's own
// message, which holds addresses.

const UNSENT: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'the host was not found',
  EAI_AGAIN: 'the host could not be looked up',
  ECONNRESET: 'the connection was reset',
  ETIMEDOUT: 'the connection timed out',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  EPROTO: 'the TLS handshake failed',
};

const codeOf = (error: Error): string =>
  'code' in error && typeof error.code === 'string' ? error.code : '';

export function unsentReason(error: Error): string {
  const code = codeOf(error);
  if (/^(ERR_SSL|ERR_TLS|CERT|UNABLE|DEPTH|SELF_SIGNED|HOSTNAME|INVALID_CA)/.test(code))
    return 'the TLS handshake failed';
  return UNSENT[code] ?? 'the connection failed';
}

export function brokenReason(error: Error): string {
  return codeOf(error).startsWith('HPE_')
    ? 'the answer was not valid HTTP'
    : 'the connection broke before a complete answer';
}
