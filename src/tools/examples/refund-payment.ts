// Example tool that moves money, as a line in `<dataDir>/refunds`: one file for each call, however
// often it is made. Whether people are asked is the agent file's: by the amount.

import { randomUUID } from 'node:crypto';
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { defineTool } from '../define-tool.ts';

const REASONS = ['damaged', 'late', 'wrong_item', 'other'] as const;

export const refundPayment = defineTool({
  name: 'refund_payment',
  description: 'Refunds money of an order. In this example it is written to a file on the server.',
  source: import.meta.url,
  input: z.strictObject({
    orderId: z
      .string()
      .regex(/^o-[0-9]{1,12}$/, 'must be an order, such as o-1001')
      .describe('The order, such as o-1001'),
    amountCents: z.int().min(1).max(100_000_000).describe('In hundredths of the currency'),
    currency: z.enum(['EUR', 'USD', 'GBP']),
    reason: z.enum(REASONS),
  }),
  idempotent: true,
  approval: 'required',
  run: async ({ orderId, amountCents, currency, reason }, ctx) => {
    const folder = join(ctx.dataDir, 'refunds');
    const file = join(folder, `${encodeURIComponent(ctx.callId)}.json`);
    const done = `${currency} ${(amountCents / 100).toFixed(2)} of order ${orderId} were refunded.`;
    if (await exists(file)) return done;
    await mkdir(folder, { recursive: true });
    const refund = { orderId, amountCents, currency, reason, idempotencyKey: ctx.idempotencyKey };
    // Whole or not at all: a kill leaves only the temporary file.
    const temporary = join(folder, `.${randomUUID()}.tmp`);
    try {
      await writeFile(temporary, `${JSON.stringify(refund)}\n`);
      await ctx.beforeWrite();
      await rename(temporary, file);
    } finally {
      await rm(temporary, { force: true });
    }
    return done;
  },
});

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
