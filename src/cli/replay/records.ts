import type { Key } from '../../protocol/topic.ts';
import { isKey } from '../../protocol/topic.ts';
import { parseTimeMs } from './time.ts';

/** One record of a file, or the reason why this line has none. */
export type FileRecord =
  | {
      readonly lineNumber: number;
      readonly value: unknown;
      /** The original text of the value, if the file has JSON. It is published unchanged. */
      readonly json?: string;
    }
  | { readonly lineNumber: number; readonly problem: string };

/** One record, ready to be published. */
export interface ReplayRecord {
  readonly lineNumber: number;
  readonly json: string;
  readonly key: Key | null;
  /** The time by the file's own clock; undefined if no time field was given. */
  readonly timeMs: number | undefined;
}

export interface RecordPlan {
  readonly timeField: string | undefined;
  /** One key for all records; `keyField` takes precedence. */
  readonly key: Key | null;
  readonly keyField: string | undefined;
}

/** Extracts from a record what the replay needs. Pure. */
export function planRecord(
  record: FileRecord,
  { timeField, key, keyField }: RecordPlan,
): ReplayRecord | { readonly lineNumber: number; readonly problem: string } {
  if ('problem' in record) return record;
  const { lineNumber, value, json = JSON.stringify(value) } = record;
  const timeMs = timeField === undefined ? undefined : parseTimeMs(fieldOf(value, timeField));
  if (timeField !== undefined && timeMs === undefined) return { lineNumber, problem: `no time in ${timeField}` };
  const ownKey = keyField === undefined ? key : keyOf(fieldOf(value, keyField));
  if (ownKey === undefined) return { lineNumber, problem: `no key in ${keyField}` };
  return { lineNumber, json, key: ownKey, timeMs };
}

function fieldOf(value: unknown, field: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return undefined;
  return (value as Record<string, unknown>)[field];
}

function keyOf(value: unknown): Key | undefined {
  const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : value;
  return typeof text === 'string' && isKey(text) ? text : undefined;
}
