// Times as a person reads them: how long ago or until, with the moment itself as a tooltip.

import { Text } from '@mantine/core';
import { useEffect, useState } from 'react';

const STEPS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;

export function relative(time: string, now: number): string {
  const seconds = Math.round((Date.parse(time) - now) / 1000);
  const size = Math.abs(seconds);
  const words = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
  for (const [unit, length] of STEPS)
    if (size >= length) return words.format(Math.trunc(seconds / length), unit);
  return size < 5 ? 'just now' : words.format(seconds, 'second');
}

/** Ticks every ten seconds, so that what is shown stays true. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

export function Time({ at }: { at: string }) {
  const now = useNow();
  return (
    <Text component="time" inherit dateTime={at} title={new Date(at).toLocaleString()}>
      {relative(at, now)}
    </Text>
  );
}

/** A length of time, as exact as it is short. */
export function seconds(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  const [size, unit] =
    ms < 7_200_000
      ? ([60_000, 'min'] as const)
      : ms < 172_800_000
        ? ([3_600_000, 'h'] as const)
        : ([86_400_000, 'days'] as const);
  return `${Math.round(ms / size)} ${unit}`;
}
