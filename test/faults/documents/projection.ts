import { crc32 } from 'node:zlib';

/** Members of a book that some readers select. */
const SELECTED = ['asks', 'status', 'checksum'];
/** As `subscribe` names them. */
export const FIELDS = SELECTED.map((name) => `/${name}`);

/** Of the selected members, whatever their order; the reference's projection, which uses none of the project's code. */
export function projectionHash(book: unknown): number {
  const map = (book ?? {}) as Readonly<Record<string, unknown>>;
  const known = SELECTED.filter((name) => map[name] !== undefined);
  return crc32(known.map((name) => `${name}=${textOf(map[name])}`).join());
}

function textOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const map = value as Readonly<Record<string, unknown>>;
  return `{${Object.keys(map)
    .sort()
    .map((name) => `${name}:${textOf(map[name])}`)
    .join()}}`;
}
