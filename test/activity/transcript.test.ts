import assert from 'node:assert/strict';
import { transcriptOf } from '../../src/activities/transcript.ts';
import { agent } from '../store/fixture.ts';

const toldOf = (result: string, httpStatus: number | null): string | undefined =>
  transcriptOf({
    agent: agent(),
    history: [],
    input: 'Do it',
    turns: [
      {
        turn: 1,
        text: '',
        cameAs: null,
        calls: [
          { callId: 'c', name: 'f', arguments: '{}', proposedArguments: null, result, httpStatus },
        ],
      },
    ],
  }).find((message) => message.role === 'tool')?.text;

describe('what the model gets of a call', () => {
  it('is the status where a tool answered with no text, and its text alone where it went well', () => {
    assert.equal(toldOf('', 204), 'The tool answered with the status 204 and no text.');
    assert.equal(toldOf('', 500), 'The tool answered with the status 500 and no text.');
    assert.equal(toldOf('Sent.', 200), 'Sent.');
    assert.equal(toldOf('', null), '', 'a tool in code has no status: the request says it');
  });

  it('is the status before the text of an error', () => {
    assert.equal(toldOf('No funds.', 409), 'The tool answered with the status 409: No funds.');
  });
});
