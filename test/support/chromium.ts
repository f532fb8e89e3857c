import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

/** Without these, Chromium calls its makers' hosts at every start. */
const QUIET = ['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/**
 * `$CHROMIUM`, or one on the PATH; undefined where there is none.
 * @throws Error where there is none and CI is set: there the pages are always tried
 */
export function chromiumPath(): string | undefined {
  const named = process.env.CHROMIUM;
  if (named !== undefined && named !== '') {
    if (!existsSync(named)) throw new Error(`$CHROMIUM names no file: ${named}`);
    return named;
  }
  const folders = (process.env.PATH ?? '').split(delimiter);
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const found = folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path));
  if (found !== undefined) return found;
  const missing = 'no Chromium: set $CHROMIUM, or put one on the PATH (Debian: apt-get install chromium)';
  if (process.env.CI !== undefined && !['', 'false', '0'].includes(process.env.CI)) throw new Error(missing);
  console.warn(`${missing}; what needs it is left out`);
  return undefined;
}

export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...QUIET] });
}
