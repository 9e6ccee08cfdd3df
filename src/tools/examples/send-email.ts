// Example tool with a side effect, guarded: an e-mail as a file in `<dataDir>/sent-mail`, one for
// each call however often it is made.

import { randomUUID } from 'node:crypto';
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { defineTool } from '../define-tool.ts';

export const sendEmail = defineTool({
  name: 'send_email',
  description: 'Sends an e-mail. In this example it is written to a file on the server.',
  source: import.meta.url,
  input: z.object({
    to: z
      .string()
      .regex(/^[^\s@<>,;]+@[^\s@<>,;]+$/, 'must be an e-mail address')
      .max(320)
      .describe('Address of the recipient'),
    // A line break in a header field would begin another field.
    subject: z
      .string()
      .regex(/^[^\r\n]*$/, 'must be one line')
      .max(500),
    body: z.string().max(100_000),
  }),
  idempotent: true,
  approval: 'required',
  run: async ({ to, subject, body }, ctx) => {
    const folder = join(ctx.dataDir, 'sent-mail');
    const file = join(folder, `${encodeURIComponent(ctx.callId)}.eml`);
    const sent = `The e-mail to ${to} was sent.`;
    if (await exists(file)) return sent;
    await mkdir(folder, { recursive: true });
    const lines = [
      `To: ${to}`,
      `Subject: ${headerText(subject)}`,
      `Message-ID: <${encodeURIComponent(ctx.idempotencyKey)}@holdpoint>`,
      `X-Idempotency-Key: ${ctx.idempotencyKey}`,
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: 8bit',
      '',
      body.replace(/\r?\n/g, '\r\n'),
    ];
    // Whole or not at all: a reader never sees half a mail, and a kill leaves only the temporary
    // file.
    const temporary = join(folder, `.${randomUUID()}.tmp`);
    try {
      await writeFile(temporary, `${lines.join('\r\n')}\r\n`);
      await ctx.beforeWrite();
      await rename(temporary, file);
    } finally {
      await rm(temporary, { force: true });
    }
    return sent;
  },
});

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** RFC 2047 where it is not plain ASCII, in words short enough for it, cut between characters. */
function headerText(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  return [...text]
    .reduce<string[]>((words, character) => {
      const last = words.at(-1);
      if (last !== undefined && Buffer.byteLength(last + character) <= 45)
        return [...words.slice(0, -1), last + character];
      return [...words, character];
    }, [])
    .map((word) => `=?utf-8?B?${Buffer.from(word).toString('base64')}?=`)
    .join('\r\n ');
}
