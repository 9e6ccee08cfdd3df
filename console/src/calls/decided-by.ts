// What a decision was and who came to it, in words.

/** An action that this page does not know yet is said by its own name. */
export function decidedBy(action: string, by: readonly string[]): string {
  const who = by.map((name) => (name === 'expiry' ? 'nobody in time' : name)).join(', ');
  return `${WORD[action] ?? action.toLowerCase()} by ${who}`;
}

const WORD: Readonly<Record<string, string>> = {
  APPROVE: 'Approved',
  REJECT: 'Rejected',
  WITHDRAWN: 'Taken back',
};
