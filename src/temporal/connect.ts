// Connections to the server: the SDK's own native one, shared by client and worker, so that a run
// may start eagerly in this process.

import { Client } from '@temporalio/client';
import { NativeConnection, type TLSConfig } from '@temporalio/worker';
import { whenThere, type WaitOptions } from '../when-there.ts';

export interface TemporalSettings {
  readonly address: string;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly tls: TLSConfig | null;
  readonly apiKey: string | null;
}

export interface Temporal {
  readonly client: Client;
  readonly connection: NativeConnection;
  readonly settings: TemporalSettings;
  /** Throws where the server does not answer within `ms`. */
  readonly ping: (ms: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * Any call that the server has not answered after this is given up: an outbox line is tried again,
 * nothing hangs.
 */
export const RPC_DEADLINE_MS = 5000;

export async function connectTemporal(settings: TemporalSettings): Promise<Temporal> {
  const connection = await NativeConnection.connect({
    address: settings.address,
    // Compressing on loopback or in one data centre costs more than it saves.
    grpcCompression: { codec: 'none' },
    // Explicit: with an API key the SDK would turn TLS on in spite of TEMPORAL_TLS.
    tls: settings.tls ?? false,
    ...(settings.apiKey === null ? {} : { apiKey: settings.apiKey }),
  });
  const client = new Client({ connection, namespace: settings.namespace });
  return {
    client,
    connection,
    settings,
    ping: async (ms) => {
      await connection.withDeadline(Date.now() + ms, () =>
        client.workflowService.getSystemInfo({}),
      );
    },
    close: () => connection.close(),
  };
}

/** Waits for a server that is not there yet. */
export async function connectWhenThere(
  settings: Omit<TemporalSettings, 'address'> & { readonly address: string | null },
  log: WaitOptions['log'],
  stopping: AbortSignal,
): Promise<Temporal> {
  const { address } = settings;
  if (address === null) throw new Error('TEMPORAL_ADDRESS is not set.');
  return whenThere(() => connectTemporal({ ...settings, address }), {
    server: 'Temporal server',
    isAway: () => true,
    log,
    stopping,
  });
}
