import { DATA_DEPTH_MAX } from '../../protocol/depth.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { packMsgpack, unpackMsgpack } from '../../protocol/msgpack-codec.ts';
import { assertMsgpack } from '../../protocol/msgpack-scan.ts';
import { type CleanText, mayContainTags } from './text-cleaner.ts';

export interface CleaningRules {
  readonly cleanText: CleanText;
  /** Of all texts with tags in one publication, each with {@link TEXT_OVERHEAD_BYTES}. */
  readonly textBytesMax: number;
}

/** A short text takes time too. */
const TEXT_OVERHEAD_BYTES = 64;
const LESS_THAN = 0x3c;

/** Whether there is anything to clean. In MessagePack every `<` of a text is this byte; the byte may also be part of a number. */
export function hasLessThan(data: Uint8Array): boolean {
  return data.includes(LESS_THAN);
}

/**
 * Cleans every text of one MessagePack value. Binary values and numbers stay. Names of fields cannot be cleaned, because two could become the same.
 *
 * @returns the same bytes if no text had to be changed
 * @throws ProtocolError `bad_payload` if a name has a tag, or the value is nested too deeply; `message_too_big` if the texts with tags are too long together
 */
export function cleanData(data: Uint8Array, { cleanText, textBytesMax }: CleaningRules): Uint8Array {
  try {
    assertMsgpack(data, { depthMax: DATA_DEPTH_MAX });
  } catch (cause) {
    throw new ProtocolError('bad_payload', 'the data is not MessagePack, or nested too deeply', { cause });
  }
  let changed = false;
  let bytes = 0;
  const clean = (text: string): string => {
    if (!mayContainTags(text)) return text;
    bytes += Buffer.byteLength(text) + TEXT_OVERHEAD_BYTES;
    if (bytes > textBytesMax)
      throw new ProtocolError(
        'message_too_big',
        `the texts with tags are longer than ${textBytesMax} bytes (tuning.sanitize.textBytesMax)`,
      );
    const cleaned = cleanText(text);
    changed ||= cleaned !== text;
    return cleaned;
  };
  const value = mapTexts(unpackMsgpack(data), clean);
  return changed ? packMsgpack(value) : data;
}

/** Changes the value, which must be its caller's own. */
function mapTexts(value: unknown, clean: (text: string) => string): unknown {
  if (typeof value === 'string') return clean(value);
  if (Array.isArray(value)) {
    for (const [index, element] of value.entries()) value[index] = mapTexts(element, clean);
  } else if (isFields(value)) {
    for (const [name, field] of Object.entries(value)) {
      if (mayContainTags(name))
        throw new ProtocolError('bad_payload', 'the name of a field has a tag, which this namespace does not allow');
      value[name] = mapTexts(field, clean);
    }
  }
  return value;
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Date) && !ArrayBuffer.isView(value);
}
