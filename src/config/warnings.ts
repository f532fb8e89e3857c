import type { Config } from './schema.ts';

/** Namespaces that need tokens, on a node that cannot verify any. */
export function unusableNamespaces({ auth, namespaces }: Config): string[] {
  if (auth.keys.length > 0 || auth.jwksUrl !== '') return [];
  const names = (filter: (options: Config['namespaces'][string]) => boolean) =>
    Object.entries(namespaces).flatMap(([name, options]) => (filter(options) ? [name] : []));
  const hidden = names((options) => !options.public);
  const mute = names((options) => options.public && options.clientPublish);
  return [
    ...(hidden.length > 0
      ? [`no client can subscribe in ${hidden.join(', ')}: not public, and neither auth.keys nor auth.jwksUrl is set`]
      : []),
    ...(mute.length > 0
      ? [`no client can publish in ${mute.join(', ')}: this needs a token, and neither auth.keys nor auth.jwksUrl is set`]
      : []),
  ];
}

/** `STENTOR_NAMESPACES__SCORES__PUBLIC` creates a namespace SCORES in addition to `scores`, because names are case-sensitive. */
export function caseTwins({ namespaces }: Config): string[] {
  const seen = new Map<string, string>();
  return Object.keys(namespaces).flatMap((name) => {
    const twin = seen.get(name.toLowerCase());
    seen.set(name.toLowerCase(), name);
    return twin === undefined ? [] : [`namespaces ${twin} and ${name} differ in case only`];
  });
}

/**
 * From here on the loss of NATS is told within 1 s of `staleAfterMs`, however often the producer is heard. A shorter time cannot be told from an interruption of
 * 3 s, which must make no topic stale (`hub/health/stale-judge.ts`).
 */
export const BROKER_LOSS_TOLD_FROM_MS = 10_000;

export function lossOfNatsIsToldLate({ nats, namespaces }: Config): string[] {
  if (nats.url === '') return [];
  return Object.entries(namespaces)
    .filter(([, { staleAfterMs }]) => staleAfterMs > 0 && staleAfterMs < BROKER_LOSS_TOLD_FROM_MS)
    .map(
      ([name, { staleAfterMs }]) =>
        `namespaces.${name}.staleAfterMs is ${staleAfterMs}: a silent producer is told within 1 s of it, but the loss of NATS only 4.5 s after it began, because below ${BROKER_LOSS_TOLD_FROM_MS} it cannot be told from an interruption of 3 s`,
    );
}

/** Whoever makes the streams beforehand, so that nothing depends on a node, probably wants the same for the epochs. */
export function epochsAreForgotten({ nats }: Config): string[] {
  if (nats.url === '' || nats.manageStreams || nats.epochStorage !== 'memory') return [];
  return [
    'nats.manageStreams is false, but with nats.epochStorage: memory the nodes themselves create the bucket that keeps the epochs, and after a full outage all clients must resync; `file` uses a bucket that `stentor setup` creates',
  ];
}
