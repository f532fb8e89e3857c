import type { Fold } from './fold.ts';
import { sizeOf } from './size.ts';
import { depthOf } from './value.ts';

/** What a document may take. */
export interface DocumentBounds {
  /** In MessagePack. */
  readonly bytesMax: number;
  /** Levels of maps and lists. */
  readonly depthMax: number;
  /** Members of maps and elements of lists, at all levels. */
  readonly fieldsMax: number;
}

/** Why a document, or a patch by itself, is too large; undefined: it is not. */
export function documentProblem(document: unknown, bounds: DocumentBounds): string | undefined {
  return problemOf(sizeOf(document), depthOf(document), bounds);
}

/** Why a patch would make a document too large. A patch is at most as deep as the document that it makes. Nothing is changed. */
export function patchProblem(fold: Fold, patch: unknown, bounds: DocumentBounds): string | undefined {
  return problemOf(fold.sizeAfter(patch), depthOf(patch), bounds);
}

function problemOf({ bytes, fields }: { bytes: number; fields: number }, depth: number, bounds: DocumentBounds): string | undefined {
  if (bytes > bounds.bytesMax) return `the document would have ${bytes} bytes; at most ${bounds.bytesMax} are allowed`;
  if (depth > bounds.depthMax) return `the document would have ${depth} levels; at most ${bounds.depthMax} are allowed`;
  if (fields > bounds.fieldsMax) return `the document would have ${fields} fields; at most ${bounds.fieldsMax} are allowed`;
  return undefined;
}
