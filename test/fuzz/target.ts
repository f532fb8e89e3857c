import type { Random } from '../../src/demo/random.ts';

/** Something that gets inputs of strangers. */
export interface Target {
  readonly name: string;
  /** Makes the input of a number: the same number and seed give the same input. @param random of this input only */
  input(random: Random): Uint8Array;
  /** @throws anything that is not a documented refusal */
  give(input: Uint8Array): void | Promise<void>;
  /** How many inputs may be under way. */
  readonly parallel: number;
  /** Bytes of what is tried that are in use, after its garbage has been collected. */
  memory(): number | Promise<number>;
  /** Once, after all inputs: what was tried must still work. */
  check(): void | Promise<void>;
  stop(): Promise<void>;
}
