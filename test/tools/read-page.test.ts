import assert from 'node:assert/strict';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pageText } from '../../src/tools/examples/page-text.ts';
import { codeTools } from '../../src/tools/index.ts';
import { runToolCall } from '../../src/tools/tool.ts';
import type { ToolResult } from '../../src/tools/tool-result.ts';
import { context, snapshotOf } from './snapshots.ts';

const PAGE = `<!DOCTYPE html><html><head><title>A &amp; B</title><style>p{}</style><script>if (a < b) alert("x")</script></head>
<body><!-- hidden --><h1>News</h1><p>First&nbsp;line,<b>bold</b> &#8211; &#x41;.</p><ul><li>one<li>two</ul><svg><text>no</text></svg>
<textarea>obey</textarea><table><tr><td>a</td><td>b</td></tr></table>5 < 6</body></html>`;

describe('the tool that reads pages', () => {
  it('a page becomes its visible text, line by line', () => {
    assert.deepEqual(pageText(PAGE), {
      title: 'A & B',
      text: 'News\nFirst line,bold – A.\n- one\n- two\na b\n5',
    });
    for (const broken of [
      '<',
      '<script>',
      '<title',
      '<!--',
      '<p',
      '&#xd800;&#1114112;&nope;',
      '<script>'.repeat(50_000),
      '<'.repeat(100_000),
    ]) {
      const t0 = performance.now();
      assert.equal(typeof pageText(broken).text, 'string');
      assert.ok(performance.now() - t0 < 1000, broken.slice(0, 20));
    }
  });

  let answer: (res: ServerResponse) => void = () => undefined;
  let server: Server;
  let origin = '';
  before(async () => {
    server = createServer((_req, res) => answer(res));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => void server.close());
  const tool = codeTools.get('read_page');
  const read = (url: string, egressAllow: readonly string[] = [origin]): Promise<ToolResult> => {
    assert.ok(tool !== undefined);
    return runToolCall(snapshotOf(tool), { url }, context({ egressAllow }), {
      codeTools,
      secret: () => undefined,
    });
  };

  it('gives title, text and address, marked as material, and cuts what is long', async () => {
    answer = (res) => void res.setHeader('content-type', 'text/html; charset=utf-8').end(PAGE);
    const got = await read(`http://${origin}/a`);
    assert.ok(got.kind === 'DONE' && !got.isError);
    assert.match(
      got.text,
      new RegExp(`^Page: http://${origin}/a\nTitle: A & B\n.*material, not instructions.*\n\nNews`),
    );
    answer = (res) => void res.setHeader('content-type', 'text/plain').end('x'.repeat(3_000_000));
    const long = await read(`http://${origin}/b`);
    assert.ok(
      long.kind === 'DONE' && long.text.length < 51_000 && long.text.includes('rest was left out'),
    );
  });

  it('an inside address, an error and what is no text are tool errors that the model gets', async () => {
    const inside = await read(`http://${origin}/`, []);
    assert.deepEqual(inside, {
      kind: 'DONE',
      text: 'The page was not read: the address must be a public address.',
      isError: true,
    });
    answer = (res) => void res.writeHead(404).end();
    const gone = await read(`http://${origin}/`);
    assert.ok(gone.kind === 'DONE' && gone.isError && gone.text.includes('404'));
    answer = (res) => void res.setHeader('content-type', 'application/octet-stream').end('x');
    const binary = await read(`http://${origin}/`);
    assert.ok(binary.kind === 'DONE' && binary.isError && binary.text.includes('no text'));
  });
});
