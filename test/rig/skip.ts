// Skips with a reason, which the closing lines print. Where HOLDPOINT_REQUIRE_POSTGRES is set, a
// database that is missing is a failure.

export function skipBecause(context: Mocha.Context, reason: string): never {
  const runnable: Mocha.Runnable | undefined = context.test;
  // In a hook the whole suite is skipped, so the reason is the suite's.
  const inHook = runnable !== undefined && 'type' in runnable && runnable.type === 'hook';
  const holder = inHook ? runnable.parent : runnable;
  if (holder !== undefined) Object.assign(holder, { skipReason: reason });
  return context.skip();
}
