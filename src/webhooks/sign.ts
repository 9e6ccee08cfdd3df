// Standard Webhooks: what a delivery is signed with, and how. Each attempt is signed with its own
// time: receivers refuse what is older than some minutes.

import { createHmac, randomBytes } from 'node:crypto';

const PREFIX = 'whsec_';
/** As the scheme advises: 24 to 64 bytes. */
const SECRET_BYTES = 32;

export const newSecret = (): string => `${PREFIX}${randomBytes(SECRET_BYTES).toString('base64')}`;

export function signedHeaders(
  secret: string,
  deliveryId: string,
  body: string,
  at: Date = new Date(),
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const signature = createHmac('sha256', Buffer.from(secret.slice(PREFIX.length), 'base64'))
    .update(`${deliveryId}.${timestamp}.${body}`)
    .digest('base64');
  return {
    'webhook-id': deliveryId,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
    'content-type': 'application/json',
  };
}
