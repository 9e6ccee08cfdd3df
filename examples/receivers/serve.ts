// Runs a receiver:
//   WEBHOOK_SECRET=whsec_… SMTP_URL=smtp://… MAIL_FROM=… MAIL_TO=… npx tsx examples/receivers/serve.ts email
//   WEBHOOK_SECRET=whsec_… SLACK_WEBHOOK_URL=https://hooks.slack.com/services/… SLACK_SIGNING_SECRET=… \
//     SLACK_APPROVERS=U024BE7LH,U… API=https://agents.example.org TOKEN=… npx tsx examples/receivers/serve.ts slack
// Port 9400, or PORT. TLS belongs in front of it.

import { createServer } from 'node:http';
import { emailReceiver } from './email.ts';
import { slackReceiver } from './slack.ts';
import type { Handle } from './deliveries.ts';

function setting(name: string): string {
  const value = process.env[name];
  if (value) return value;
  console.error(`${name} is not set.`);
  process.exit(1);
}

function chosen(which: string | undefined): Handle {
  const secret = setting('WEBHOOK_SECRET');
  if (which === 'email')
    return emailReceiver({
      ...{ secret, smtpUrl: setting('SMTP_URL') },
      ...{ from: setting('MAIL_FROM'), to: setting('MAIL_TO') },
    });
  return slackReceiver({
    ...{ secret, slackUrl: setting('SLACK_WEBHOOK_URL') },
    ...{ signingSecret: setting('SLACK_SIGNING_SECRET') },
    approvers: setting('SLACK_APPROVERS').split(','),
    ...{ apiUrl: setting('API'), token: setting('TOKEN') },
  });
}

const handle = chosen(process.argv[2]);
const port = Number(process.env['PORT'] ?? 9400);
createServer((request, response) => {
  handle(request, response).catch((error: unknown) => {
    console.error(error);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
}).listen(port, () => console.log(`listening on port ${port}`));
