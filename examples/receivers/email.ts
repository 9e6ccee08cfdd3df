// Sends a mail for each delivery, with the link to the page. No arguments, for mail is kept in many
// places; no approval by link, for mail is forwarded and links in it are opened by programs.
// Needs the package `nodemailer`.

import { createTransport } from 'nodemailer';
import { sentenceOf, takesDeliveries, visible, type Handle } from './deliveries.ts';

export interface EmailSettings {
  /** Of the webhook: `whsec_…`. */
  readonly secret: string;
  /** `smtps://user:password@mail.example.org` */
  readonly smtpUrl: string;
  readonly from: string;
  readonly to: string;
}

/** A delivery waits for ten seconds: what takes longer comes again. */
const SMTP_TIMEOUT_MS = 8000;
const SUBJECT_MAX = 150;

export function emailReceiver({ secret, smtpUrl, from, to }: EmailSettings): Handle {
  const transport = createTransport({
    url: smtpUrl,
    connectionTimeout: SMTP_TIMEOUT_MS,
    greetingTimeout: SMTP_TIMEOUT_MS,
    socketTimeout: SMTP_TIMEOUT_MS,
  });
  return takesDeliveries(secret, async (body, deliveryId) => {
    const sentence = visible(sentenceOf(body));
    await transport.sendMail({
      ...{ from, to },
      subject: sentence.slice(0, SUBJECT_MAX),
      text: `${sentence}\n\n${body.data.link}\n`,
      // The same for a repeated delivery, by which mail programs know it.
      messageId: `<${deliveryId}@holdpoint>`,
      // A machine's mail: no out-of-office answers.
      headers: { 'Auto-Submitted': 'auto-generated' },
    });
  });
}
