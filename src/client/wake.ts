interface Target {
  addEventListener?(name: string, listener: () => void): void;
  removeEventListener?(name: string, listener: () => void): void;
}

interface Browser extends Target {
  readonly document?: Target & { readonly visibilityState?: string };
}

/**
 * Calls back when the network is back or the page becomes visible: timers of a hidden page are throttled. Does nothing in Node. @returns a function that stops
 * it
 */
export function onWake(wake: () => void): () => void {
  const browser = globalThis as Browser;
  const { document } = browser;
  const onVisibility = () => {
    if (document?.visibilityState === 'visible') wake();
  };
  browser.addEventListener?.('online', wake);
  document?.addEventListener?.('visibilitychange', onVisibility);
  return () => {
    browser.removeEventListener?.('online', wake);
    document?.removeEventListener?.('visibilitychange', onVisibility);
  };
}
