// A webhook as the API makes it.

import { v7 } from 'uuid';
import type { NewWebhook } from '../../src/store/webhooks/webhooks.ts';
import { WEBHOOK_EVENT } from '../../src/contract/webhook.ts';
import { newSecret } from '../../src/webhooks/sign.ts';

export const newWebhook = (orgId: string, more: Partial<NewWebhook> = {}): NewWebhook => ({
  webhookId: `wh_${v7()}`,
  orgId,
  url: 'https://example.org/hook',
  events: [...WEBHOOK_EVENT],
  include: [],
  secret: newSecret(),
  pageUrl: 'https://agents.example.org',
  createdBy: 'root',
  ...more,
});
