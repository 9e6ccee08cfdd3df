// Whether new calls are announced by a sound and by the browser's notifications; kept on this device.

import { useLocalStorage } from '@mantine/hooks';

export interface AlertSettings {
  readonly sound: boolean;
  readonly notify: boolean;
  readonly setSound: (on: boolean) => void;
  readonly setNotify: (on: boolean) => void;
}

export function useAlertSettings(): AlertSettings {
  const [sound, setSound] = useLocalStorage({ key: 'holdpoint-sound', defaultValue: false });
  const [notify, setNotify] = useLocalStorage({ key: 'holdpoint-notify', defaultValue: false });
  return { sound, notify, setSound, setNotify };
}
