import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PositionTracker, type Step } from '../../src/client/position-tracker.ts';
import type { Item, Position } from '../../src/protocol/messages.ts';

/** The promise, as small as it can be said: what the callback is given is the log, from a start that it was told of, with nothing left out. */
class PromiseModel {
  #log: readonly number[] = [];
  #next = 0;

  /** A resync, or the first beginning: everything up to `offset` is the state. */
  starts(log: readonly number[], offset: number): void {
    this.#log = log;
    this.#next = log.filter((one) => one <= offset).length;
  }

  given(offset: number): void {
    expect(offset).toBe(this.#log[this.#next++]);
  }

  kept(head: number): void {
    expect(this.#log[this.#next - 1] ?? head).toBe(head);
  }
}

/** Something on its way; `answers`: to a question that the client's shell may have given up since. */
interface Message {
  readonly answers: boolean;
  read(): Step;
}

/** A server with one log, and a stream to one client that loses, doubles and turns round what it carries. */
class Model {
  readonly promise = new PromiseModel();
  readonly tracker: PositionTracker;
  #log: number[] = [];
  #epoch = 1;
  /** Publications up to here are no longer in the log. */
  #trimmed = 0;
  /** The server's cursor of the client's stream; undefined while it has none. */
  #cursor: number | undefined;
  /** Messages on their way to the client. */
  #wire: Message[] = [];
  #connected = false;

  constructor(holdItemsMax: number) {
    this.tracker = new PositionTracker(holdItemsMax, undefined);
  }

  publish(gap: number): void {
    this.#log.push((this.#log.at(-1) ?? 0) + 1 + gap);
  }

  trim(count: number): void {
    this.#trimmed = Math.max(this.#trimmed, this.#log[count] ?? 0);
  }

  flush(lost: boolean): void {
    if (this.#cursor === undefined) return;
    const offsets = this.#after(this.#cursor);
    if (offsets.length === 0) return;
    const message = { epoch: `e${this.#epoch}`, prev: this.#cursor, items: toItems(offsets) };
    this.#cursor = offsets.at(-1) as number;
    if (!lost) this.#wire.push({ answers: false, read: () => this.tracker.batch(message) });
  }

  rollBack(): void {
    this.#epoch++;
    this.#log = this.#log.slice(0, 2);
    this.#trimmed = 0;
    if (this.#cursor === undefined) return;
    this.#cursor = this.#head;
    const message = { epoch: `e${this.#epoch}`, offset: this.#head, reason: 'rolled back', items: toItems(this.#log.slice(-1)) };
    const log = this.#log;
    const read = () => {
      const step = this.tracker.resync(message);
      if (step.deliveries.length > 0) this.promise.starts(log, message.offset);
      return step;
    };
    this.#wire.push({ answers: false, read });
  }

  reconnect(): void {
    this.#connected = true;
    this.#cursor = undefined;
    this.#wire = [];
    this.tracker.interrupted();
    this.#subscribe();
  }

  cut(): void {
    this.#connected = false;
    this.#cursor = undefined;
    this.#wire = [];
    this.tracker.interrupted();
  }

  /** Only what streams: an answer is taken once, by its id. */
  doubles(index: number): void {
    const streamed = this.#wire.filter(({ answers }) => !answers);
    const message = streamed[index % Math.max(1, streamed.length)];
    if (message !== undefined) this.#wire.push(message);
  }

  /** @param index which message on the wire comes first: 0 is the oldest */
  receive(index: number): void {
    const [message] = this.#wire.splice(index % Math.max(1, this.#wire.length), 1);
    if (message !== undefined) this.#apply(message.read());
  }

  settle(): void {
    if (!this.#connected) this.reconnect();
    this.drain();
    this.publish(0);
    this.flush(false);
    this.drain();
    this.promise.kept(this.#head);
    expect(this.tracker.position).toEqual({ epoch: `e${this.#epoch}`, offset: this.#head });
    expect(this.tracker.heldItems).toBe(0);
  }

  drain(): void {
    for (let i = 0; this.#wire.length > 0; i++) {
      if (i > 10_000) throw new Error('it never settles');
      this.receive(0);
    }
  }

  get #head(): number {
    return this.#log.at(-1) ?? 0;
  }

  #after(offset: number): number[] {
    return this.#log.filter((one) => one > offset);
  }

  #apply({ deliveries, next }: Step): void {
    for (const { source, items } of deliveries) {
      if (source !== 'snapshot') for (const [offset] of items) this.promise.given(offset);
    }
    if (next === 'resubscribe') this.#subscribe();
    if (next === 'askHistory') this.#answerHistory(this.tracker.position as Position);
  }

  #subscribe(): void {
    const since = this.tracker.position;
    const recovered = since !== undefined && since.epoch === `e${this.#epoch}` && since.offset >= this.#trimmed;
    const items = toItems(recovered ? this.#after(since.offset) : this.#log.slice(-1));
    const message = { epoch: `e${this.#epoch}`, offset: this.#head, recovered, items };
    this.#cursor = this.#head;
    const log = this.#log;
    const read = () => {
      if (!recovered) this.promise.starts(log, message.offset);
      return this.tracker.subscribed(message, since);
    };
    // The client's shell drops answers to what it asked before.
    this.#wire = [...this.#wire.filter(({ answers }) => !answers), { answers: true, read }];
  }

  #answerHistory(since: Position): void {
    const complete = since.epoch === `e${this.#epoch}` && since.offset >= this.#trimmed;
    // Two at a time, so that there are pages.
    const page = complete ? this.#after(since.offset).slice(0, 2) : [];
    const offset = page.length < 2 ? Math.max(since.offset, this.#head) : (page.at(-1) as number);
    const message = { epoch: `e${this.#epoch}`, offset, complete, items: toItems(page) };
    this.#wire.push({ answers: true, read: () => this.tracker.history(message, since) });
  }
}

function toItems(offsets: readonly number[]): Item[] {
  return offsets.map((offset) => [offset, null, null]);
}

type Action = (model: Model) => void;

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.nat(3).map(
      (gap): Action =>
        (model) =>
          model.publish(gap),
    ),
  },
  {
    weight: 6,
    arbitrary: fc.boolean().map(
      (lost): Action =>
        (model) =>
          model.flush(lost),
    ),
  },
  {
    weight: 8,
    arbitrary: fc.nat(5).map(
      (index): Action =>
        (model) =>
          model.receive(index),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.nat(5).map(
      (index): Action =>
        (model) =>
          model.doubles(index),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Action>((model) => model.cut()) },
  { weight: 2, arbitrary: fc.constant<Action>((model) => model.reconnect()) },
  {
    weight: 1,
    arbitrary: fc.nat(8).map(
      (count): Action =>
        (model) =>
          model.trim(count),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Action>((model) => model.rollBack()) },
);

it('delivers the log completely and in order, or reports a reset, although the stream loses, duplicates and reorders publications', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80, size: 'max' }), fc.integer({ min: 1, max: 12 }), (actions, holdItemsMax) => {
      const model = new Model(holdItemsMax);
      for (const act of actions) act(model);
      model.settle();
    }),
    { numRuns: 3000 },
  );
});
