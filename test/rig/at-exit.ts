// What is undone when the test run ends, however it ends but by kill -9: one listener for all rigs.

const undone: (() => void)[] = [];

export function atExit(undo: () => void): void {
  if (undone.push(undo) > 1) return;
  process.once('exit', () => {
    for (const one of undone.reverse()) one();
  });
}
