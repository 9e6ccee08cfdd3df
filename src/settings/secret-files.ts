// Secrets in files, as container runtimes mount them: an environment is inherited by every child and
// visible to those who may inspect the process.

import type { Parsed } from './values.ts';
import type { SettingsReader } from './read.ts';

type Secret = 'JWT_SECRET' | 'OPENAI_API_KEY' | 'AUDIT_KEY';
type Address = 'DATABASE_URL' | 'MIGRATION_DATABASE_URL';

/** The setting, or what its file holds. `parse`: as the setting itself is read. */
export function secretOf(
  { read, isSet, problem }: SettingsReader,
  name: Secret,
  parse: (text: string) => Parsed<string>,
): string | null {
  const fileName = `${name}_FILE` as const;
  const [given, content] = [read(name), read(fileName)];
  if (content === null) return given;
  if (isSet(name)) problem(`${name} and ${fileName} are both set: use one.`);
  const parsed = parse(content);
  if ('value' in parsed) return parsed.value;
  problem(`${fileName} names a file whose content ${parsed.problem}.`);
  return null;
}

/** Whether it was given at all, in whichever way. */
export const isSecretSet = ({ isSet }: SettingsReader, name: Secret): boolean =>
  isSet(name) || isSet(`${name}_FILE`);

/** The address, with the password that its file holds. */
export function databaseAddress({ read }: SettingsReader, name: Address): string | null {
  const address = read(name);
  const password = read(
    name === 'DATABASE_URL' ? 'DATABASE_PASSWORD_FILE' : 'MIGRATION_DATABASE_PASSWORD_FILE',
  );
  if (address === null || password === null) return address;
  const whole = new URL(address);
  whole.password = encodeURIComponent(password);
  return whole.href;
}
