import { AsyncQueue } from './async-queue.ts';
import type { ClientEvents } from './client-types.ts';
import type { Emitter } from './emitter.ts';
import { disconnectedError } from './errors.ts';
import { handled } from './platform.ts';
import type { ConnectionState } from './state.ts';

type Events = Pick<Emitter<ClientEvents>, 'on'>;

/** Resolves when connected; rejects with a DisconnectedError when no more attempts are made. */
export function whenConnected(events: Events, now: ConnectionState): Promise<void> {
  return handled(
    () =>
      new Promise<void>((resolve, reject) => {
        let stop = () => {};
        const check = (state: ConnectionState) => {
          if (state.status === 'connected') resolve();
          else if (state.status === 'disconnected') reject(disconnectedError(state.reason));
          else return;
          stop();
        };
        stop = events.on('state', check);
        check(now);
      }),
  );
}

/** Yields this state and every change, until no more attempts are made. A slow reader misses intermediate states, never the last one. */
export function statesFrom(events: Events, now: ConnectionState): AsyncQueue<ConnectionState> {
  let stop = () => {};
  const states = new AsyncQueue<ConnectionState>({ bufferMax: 16, onFull: 'dropOldest' }, 0, () => stop());
  states.push(now);
  stop = events.on('state', (state) => {
    states.push(state);
    if (state.status === 'disconnected') states.end();
  });
  return states;
}
