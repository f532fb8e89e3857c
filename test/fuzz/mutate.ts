import type { Random } from '../../src/demo/random.ts';

/** Bytes at which decoders change their minds: lengths, signs, ends of ranges, brackets. */
const TELLING = [0x00, 0x01, 0x7f, 0x80, 0xc0, 0xc1, 0xd9, 0xdf, 0xff, 0x22, 0x5b, 0x7b, 0x5c, 0x2e, 0x0a];
const CHANGES_MAX = 4;

/** A valid input with a few places changed, cut, doubled or joined with another one: near to valid is where decoders break. */
export function mutate(random: Random, valid: Uint8Array, other: Uint8Array): Uint8Array {
  let bytes = Buffer.from(valid);
  const below = (max: number) => Math.floor(random() * max);
  for (let changes = 1 + below(CHANGES_MAX); changes > 0; changes--) {
    const at = below(bytes.length + 1);
    switch (below(7)) {
      case 0:
        bytes[Math.min(at, bytes.length - 1)] = below(256);
        break;
      case 1:
        bytes[Math.min(at, bytes.length - 1)] = TELLING[below(TELLING.length)] as number;
        break;
      case 2:
        bytes = bytes.subarray(0, at);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from([below(256)]), bytes.subarray(at)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes, bytes.subarray(at)]);
        break;
      case 5:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + below(8)))]);
        break;
      default:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(other).subarray(below(other.length + 1))]);
    }
    if (bytes.length === 0) bytes = Buffer.from([below(256)]);
  }
  return bytes;
}

/** The same for a text, as UTF-8. */
export function mutateText(random: Random, valid: string, other: string): string {
  return Buffer.from(mutate(random, Buffer.from(valid), Buffer.from(other))).toString();
}
