import { describe, expect, it } from 'vitest';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import { CommandArray, MessageError, parseClientFrame } from '../../src/protocol/parse.ts';

describe('an array of commands', () => {
  it('is checked command by command, and each only when it is requested', () => {
    let looks = 0;
    const looked = () => ({
      get type() {
        looks++;
        return 'fly';
      },
    });
    const codec = { ...jsonCodec, decode: () => [looked(), looked(), looked()] };
    const commands = parseClientFrame(codec, new Uint8Array(), 3) as CommandArray;
    expect(commands).toBeInstanceOf(CommandArray);
    expect(commands.length).toBe(3);
    expect(looks).toBe(0);
    expect(commands.at(1)).toBeInstanceOf(MessageError);
    expect(looks).toBe(1);
  });
});
