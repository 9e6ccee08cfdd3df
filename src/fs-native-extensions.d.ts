// The package ships no declarations; this is what of it is used.
declare module 'fs-native-extensions' {
  export function tryLock(fd: number): boolean;
}
