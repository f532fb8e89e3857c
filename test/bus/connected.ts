import type { Bus } from '../../src/bus/bus.ts';

export function connectedBecomes(bus: Bus, wanted: boolean): Promise<void> {
  if (bus.connected === wanted) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = bus.onConnectedChange((connected) => {
      if (connected !== wanted) return;
      stop();
      resolve();
    });
  });
}
