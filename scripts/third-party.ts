// `npm run third-party`: writes docs/third-party.md, every package that a deployment contains with
// its version and licence, as package-lock.json has them. `npm sbom` says the same for machines.

import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { format } from 'prettier';

const LOCKFILE = new URL('../package-lock.json', import.meta.url);
const PAGE = new URL('../docs/third-party.md', import.meta.url);

export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
  readonly resolved?: string;
}

/** Packages whose package.json names no licence, or none by its identifier: read in their texts. */
const READ: Readonly<Record<string, string>> = {
  unionfs: 'Unlicense',
  '@modelcontextprotocol/server-everything': 'MIT',
  '@modelcontextprotocol/server-filesystem': 'MIT',
  '@modelcontextprotocol/server-memory': 'MIT',
};

export function lockedPackages(): readonly LockedPackage[] {
  const { packages } = JSON.parse(readFileSync(LOCKFILE, 'utf8')) as {
    packages: Readonly<Record<string, Omit<LockedPackage, 'name'>>>;
  };
  return Object.entries(packages).flatMap(([path, locked]) =>
    path === '' ? [] : [{ ...locked, name: path.slice(path.lastIndexOf('node_modules/') + 13) }],
  );
}

export const licenceOf = ({ name, license }: LockedPackage): string | undefined =>
  READ[name] ?? license;

export function thirdPartyPage(): Promise<string> {
  const rows = lockedPackages()
    .filter(({ dev }) => dev !== true)
    .map((locked) => `| ${locked.name} | ${locked.version} | ${licenceOf(locked) ?? 'none'} |`);
  const page = `# What a deployment contains of others

Generated from \`package-lock.json\` by \`npm run third-party\`. For machines: \`npm sbom --omit dev --sbom-format cyclonedx\` (or \`spdx\`). What is checked of it: [security.md](security.md#what-we-build-on).

| Package | Version | Licence |
| --- | --- | --- |
${[...new Set(rows)].sort().join('\n')}
`;
  return format(page, { parser: 'markdown' });
}

export const writtenThirdPartyPage = (): string => readFileSync(PAGE, 'utf8');

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  writeFileSync(PAGE, await thirdPartyPage());
