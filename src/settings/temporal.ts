// Where Temporal is and how it is spoken to, from the SDK's own variables and two of ours.

import type { SettingsReader } from './read.ts';

/** As the SDK takes it. */
export interface TlsSettings {
  readonly serverNameOverride?: string;
  readonly serverRootCACertificate?: Uint8Array;
  readonly clientCertPair?: { readonly crt: Uint8Array; readonly key: Uint8Array };
}

export interface TemporalSettings {
  /** null: a development server of our own is started (`npm start` only). */
  readonly address: string | null;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly tls: TlsSettings | null;
  readonly apiKey: string | null;
}

export function readTemporal(settings: SettingsReader): TemporalSettings {
  const { read } = settings;
  const apiKey = read('TEMPORAL_API_KEY');
  return {
    address: read('TEMPORAL_ADDRESS'),
    namespace: read('TEMPORAL_NAMESPACE'),
    taskQueue: read('TEMPORAL_TASK_QUEUE'),
    tls: readTls(settings, apiKey),
    apiKey,
  };
}

function readTls(settings: SettingsReader, apiKey: string | null): TlsSettings | null {
  const { read, problem } = settings;
  const ca = material(settings, 'SERVER_CA_CERT');
  const [crt, key] = [material(settings, 'CLIENT_CERT'), material(settings, 'CLIENT_KEY')];
  const serverName = read('TEMPORAL_TLS_SERVER_NAME');
  if ((crt === null) !== (key === null))
    problem('TEMPORAL_TLS_CLIENT_CERT_… and TEMPORAL_TLS_CLIENT_KEY_… go together.');
  const wanted =
    read('TEMPORAL_TLS') ?? (apiKey !== null || ca !== null || crt !== null || serverName !== null);
  if (!wanted) return null;
  return {
    ...(serverName === null ? {} : { serverNameOverride: serverName }),
    ...(ca === null ? {} : { serverRootCACertificate: ca }),
    ...(crt === null || key === null ? {} : { clientCertPair: { crt, key } }),
  };
}

function material(
  { read }: SettingsReader,
  what: 'SERVER_CA_CERT' | 'CLIENT_CERT' | 'CLIENT_KEY',
): Uint8Array | null {
  const data = read(`TEMPORAL_TLS_${what}_DATA`);
  const file = read(`TEMPORAL_TLS_${what}_PATH`);
  return data === null ? file : new TextEncoder().encode(data);
}
