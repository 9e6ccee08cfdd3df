// Prints each delivery, once its signature holds. Nothing but Node:
//   WEBHOOK_SECRET=whsec_… PORT=9400 node examples/receivers/print.mjs

import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const secret = Buffer.from((process.env.WEBHOOK_SECRET ?? '').replace(/^whsec_/, ''), 'base64');
if (secret.length < 24) {
  console.error('WEBHOOK_SECRET is not set, or is none.');
  process.exit(1);
}

function isSigned({ headers }, body) {
  const id = headers['webhook-id'] ?? '';
  const timestamp = headers['webhook-timestamp'] ?? '';
  // Older than five minutes, or from the future: a replay.
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) < 300)) return false;
  const expected = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest();
  return String(headers['webhook-signature'] ?? '')
    .split(' ')
    .filter((one) => one.startsWith('v1,'))
    .map((one) => Buffer.from(one.slice(3), 'base64'))
    .some((given) => given.length === expected.length && timingSafeEqual(given, expected));
}

const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const body = Buffer.concat(parts);
    if (!isSigned(request, body)) return response.writeHead(401).end();
    // No text that a person or a model wrote: it could hold a terminal's control characters.
    const { type, data } = JSON.parse(body.toString());
    const id = request.headers['webhook-id'];
    console.log(JSON.stringify({ id, type, status: data.status, link: data.link }));
    return response.writeHead(204).end();
  });
});
server.listen(Number(process.env.PORT ?? 9400), () => {
  console.error(`listening on port ${server.address().port}`);
});
