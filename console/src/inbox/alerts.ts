// Telling the person that something new waits: the count in the title always, a sound and a
// notification of the browser where they were switched on.

import { useEffect, useRef } from 'react';
import type { WaitingCall } from '../api/types.ts';
import type { InboxState } from './inbox-stream.ts';
import { linkTo } from '../shell/route.ts';

export function useTitle(count: number): void {
  useEffect(() => {
    document.title = count === 0 ? 'Holdpoint' : `(${count}) Holdpoint`;
  }, [count]);
}

export function useAlerts(
  { items, since }: Pick<InboxState, 'items' | 'since'>,
  { sound, notify }: { readonly sound: boolean; readonly notify: boolean },
): void {
  // Never emptied: a stream that is opened anew brings again what was announced already.
  const known = useRef(new Set<string>());
  useEffect(() => {
    const fresh = items.filter(
      (item) =>
        !known.current.has(nameOf(item)) &&
        since !== undefined &&
        Date.parse(item.requestedAt) >= since,
    );
    for (const item of items) known.current.add(nameOf(item));
    if (fresh.length === 0) return;
    if (sound) chime();
    if (notify && 'Notification' in window && Notification.permission === 'granted')
      for (const item of fresh.slice(0, 3)) notification(item);
  }, [items, since, sound, notify]);
}

/** A call may be asked about again, in another pause. */
const nameOf = ({ pauseId, callId }: WaitingCall): string => `${pauseId} ${callId}`;

/** No word of the call's arguments: a notification is shown on locked screens. */
function notification(item: WaitingCall): void {
  const shown = new Notification('A call waits for you', {
    body: `${item.agentId} wants to use ${item.name}.`,
    tag: nameOf(item),
    icon: '/console/icon.svg',
  });
  shown.onclick = () => {
    window.focus();
    location.hash = linkTo.call(item.runId, item.callId);
  };
}

/** Browsers play nothing before the person has touched the page. */
export function chime(): void {
  const audio = new AudioContext();
  const gain = audio.createGain();
  gain.gain.setValueAtTime(0.08, audio.currentTime);
  gain.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.6);
  gain.connect(audio.destination);
  for (const [index, frequency] of [660, 880].entries()) {
    const tone = audio.createOscillator();
    tone.frequency.value = frequency;
    tone.connect(gain);
    tone.start(audio.currentTime + index * 0.15);
    tone.stop(audio.currentTime + 0.6);
  }
  setTimeout(() => void audio.close(), 1000);
}
