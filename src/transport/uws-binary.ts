import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { UWS_CHECKSUMS } from './uws-checksums.ts';

const require = createRequire(import.meta.url);

/**
 * Checks the binary of a package before it is loaded, because binaries cannot be reviewed, and a lock file does not protect those who install this package as a
 * dependency. It takes about 20 ms. What is not in the table is not checked: upstream's own package, which an operator has installed by hand.
 *
 * @throws Error if the binary for this system is another one than the table says
 */
export function assertKnownBinary(source: string, checksums = UWS_CHECKSUMS): void {
  const known = Object.entries(checksums[source] ?? {});
  const ours = new RegExp(`uws_${process.platform}_${process.arch}_${process.versions.modules}\\.node$`);
  const [path, expected] = known.find(([each]) => ours.test(each)) ?? [];
  const folder = folderOf(source);
  // Loading it says what is missing.
  if (folder === undefined || path === undefined || !existsSync(join(folder, path))) return;
  const found = createHash('sha256')
    .update(readFileSync(join(folder, path)))
    .digest('hex');
  if (found !== expected)
    throw new Error(`${path} is not the binary that this version was made with: its SHA-256 is ${found}, not ${expected}`);
}

function folderOf(source: string): string | undefined {
  return require.resolve
    .paths(source)
    ?.map((folder) => join(folder, source))
    .find((folder) => existsSync(join(folder, 'package.json')));
}
