import { readFileSync } from 'node:fs';

/** The package's version; src and dist lie at the same depth below package.json. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return version;
}
