import type { Publication } from './publication.ts';

/** The newest of them whose payloads fit into so many bytes, but at least one; oldest first. */
export function newestWithin(publications: readonly Publication[], bytesMax: number): readonly Publication[] {
  let bytes = 0;
  for (let i = publications.length - 1; i >= 0; i--) {
    bytes += (publications[i] as Publication).payload.length;
    if (bytes > bytesMax && i < publications.length - 1) return publications.slice(i + 1);
  }
  return publications;
}
