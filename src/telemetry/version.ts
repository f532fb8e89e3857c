import { readFileSync } from 'node:fs';

/** The version of the package. src and dist are at the same depth below package.json. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return version;
}
