import { ClientCheck } from '../checker.ts';
import type { Life, Verdict } from '../ledger.ts';
import type { Frame } from './frame.ts';

/** What happens to a client beside whole frames. */
type Event =
  | { readonly kind: 'start'; readonly epoch: string; readonly offset: number; readonly snapshot: number | null | undefined }
  | { readonly kind: 'skip'; readonly offset: number }
  /** The frame from this item on. */
  | { readonly kind: 'part'; readonly frame: Frame; readonly from: number; readonly epoch: string };

/** Frames that clients were given, kept once for all of them. */
export class SharedFrames {
  readonly all: Frame[] = [];

  indexOf(frame: Frame): number {
    if (frame.index === -1) frame.index = this.all.push(frame) - 1;
    return frame.index;
  }
}

/** What one client's application was given, in order: one small number for a whole frame, so that a hundred million deliveries fit. */
export class ClientLedger {
  readonly #frames: SharedFrames;
  /** Index of a frame, or -1 - index of an event. */
  readonly #entries: number[] = [];
  readonly #events: Event[] = [];

  constructor(frames: SharedFrames) {
    this.#frames = frames;
  }

  whole(frame: Frame): void {
    this.#entries.push(this.#frames.indexOf(frame));
  }

  event(event: Event): void {
    this.#entries.push(-this.#events.push(event));
  }

  check(topic: string, lives: readonly Life[]): Verdict {
    const check = new ClientCheck(topic, lives);
    for (const entry of this.#entries) {
      if (entry >= 0) {
        const frame = this.#frames.all[entry]!;
        give(check, frame, 0, (frame.message as { epoch: string }).epoch);
        continue;
      }
      const event = this.#events[-entry - 1]!;
      if (event.kind === 'start') check.start(event.epoch, event.offset, event.snapshot);
      else if (event.kind === 'skip') check.skip(event.offset);
      else give(check, event.frame, event.from, event.epoch);
    }
    return check.end();
  }
}

function give(check: ClientCheck, { offsets, ids }: Frame, from: number, epoch: string): void {
  for (let i = from; i < offsets.length; i++) check.deliver(epoch, offsets[i]!, ids[i]!);
}
