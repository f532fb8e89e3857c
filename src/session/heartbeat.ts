/** A peer, as the heartbeat sees it. */
export interface HeartbeatPeer {
  /** Its slot in the wheel. */
  heartbeatSlot: number;
  awaitsPong: boolean;
  missedPongs: number;
}

export interface HeartbeatActions<Peer> {
  ping(peer: Peer): void;
  /** Two pings in a row were not answered in time. */
  lost(peer: Peer): void;
}

const MISSES_MAX = 2;
const SLOTS = 50;

/**
 * A timer wheel: each peer has a random slot, so that connections that opened at the same time do not ping at the same time. Once per round the peers of a slot
 * are pinged. After the time for a pong, those that have not answered have missed one. With the defaults (25 s, 5 s) a vanished peer is closed 30–55 s after
 * its last sign of life.
 */
export class Heartbeat<Peer extends HeartbeatPeer> {
  readonly #slots: Set<Peer>[] = Array.from({ length: SLOTS }, () => new Set<Peer>());
  readonly #actions: HeartbeatActions<Peer>;
  readonly #pongSlots: number;
  readonly #random: () => number;
  #at = 0;

  constructor(pingIntervalMs: number, pongTimeoutMs: number, actions: HeartbeatActions<Peer>, random: () => number = Math.random) {
    this.#actions = actions;
    this.#random = random;
    this.#pongSlots = Math.min(SLOTS - 1, Math.max(1, Math.ceil((pongTimeoutMs / pingIntervalMs) * SLOTS)));
  }

  /** {@link tick} must be called this many times in a ping interval. */
  static readonly ticksPerInterval = SLOTS;

  add(peer: Peer): void {
    const slot = Math.floor(this.#random() * SLOTS);
    peer.heartbeatSlot = slot;
    this.#slots[slot]?.add(peer);
  }

  remove(peer: Peer): void {
    this.#slots[peer.heartbeatSlot]?.delete(peer);
  }

  /** Anything received from the peer shows that it is alive. */
  heard(peer: Peer): void {
    peer.awaitsPong = false;
    peer.missedPongs = 0;
  }

  tick(): void {
    this.#at = (this.#at + 1) % SLOTS;
    for (const peer of this.#slots[this.#at] ?? []) {
      peer.awaitsPong = true;
      this.#actions.ping(peer);
    }
    const due = (this.#at - this.#pongSlots + SLOTS) % SLOTS;
    for (const peer of this.#slots[due] ?? []) {
      if (!peer.awaitsPong) continue;
      peer.awaitsPong = false;
      if (++peer.missedPongs >= MISSES_MAX) this.#actions.lost(peer);
    }
  }
}
