import { HALL } from '../../people/topics.ts';
import { type Community, some } from './community.ts';

const TICK_MS = 20;

/** Publishes all the time, also while something is broken: what arrives then must still be only for whom it was sent, and only once. */
export class Traffic {
  readonly #community: Community;
  #timer: NodeJS.Timeout | undefined;
  #due = 0;

  constructor(community: Community) {
    this.#community = community;
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const { services, users, singles, rooms, size } = this.#community;
    for (this.#due += (size.ratePerSecond * TICK_MS) / 1000; this.#due >= 1; this.#due--) {
      const chance = Math.random();
      if (chance < 0.01) services.publish(HALL);
      else if (chance < 0.2) services.publish(some(rooms, 1)[0] as string);
      else services.publish(`user.${some(chance < 0.3 ? singles : users, 1)[0]}`);
    }
  }
}
