// Prints what a slow step of the start is doing: a line when it begins to take long, then a spinner
// on a terminal, else a line now and then. Prints, and knows nothing else.

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/** Under two seconds no message is needed. */
const QUIET_MS = 2000;

export type Print = (line: string) => void;

export async function withProgress<T>(
  what: string,
  print: Print,
  work: () => Promise<T>,
): Promise<T> {
  const started = Date.now();
  const spins = process.stdout.isTTY === true;
  const seconds = (): number => Math.round((Date.now() - started) / 1000);
  const tick = (): void => {
    if (Date.now() - started < QUIET_MS) return;
    if (spins)
      process.stdout.write(
        `\r  ${FRAMES[Math.floor(Date.now() / 120) % FRAMES.length]} ${what} … ${seconds()} s`,
      );
    else print(`  … ${what}: ${seconds()} s`);
  };
  const ticking = setInterval(tick, spins ? 120 : 4000);
  try {
    return await work();
  } finally {
    clearInterval(ticking);
    if (spins && Date.now() - started >= QUIET_MS) process.stdout.write('\r\u001b[2K');
  }
}
