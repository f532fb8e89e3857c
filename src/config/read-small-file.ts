import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';

/** @returns the text; or why there is none, for a message. A path may be that of a log or a disk image: files above the limit are not read into memory */
export function readSmallFile(path: string, bytesMax: number): { readonly text: string } | { readonly reason: string } {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    const stat = fstatSync(descriptor);
    if (stat.isDirectory()) return { reason: 'it is a folder' };
    if (stat.size > bytesMax) return { reason: `it has ${stat.size} bytes` };
    return { text: readFileSync(descriptor, 'utf8') };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { reason: code === 'ENOENT' ? 'there is no such file (ENOENT)' : `it cannot be read (${code})` };
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
