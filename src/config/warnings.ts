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

/** Whoever makes the streams beforehand, so that nothing depends on a node, probably wants the same for the epochs. */
export function epochsAreForgotten({ nats }: Config): string[] {
  if (nats.url === '' || nats.manageStreams || nats.epochStorage !== 'memory') return [];
  return [
    'nats.manageStreams is false, but with nats.epochStorage: memory the nodes themselves create the bucket that keeps the epochs, and after a full outage all clients must resync; `file` uses a bucket that `stentor setup` creates',
  ];
}
