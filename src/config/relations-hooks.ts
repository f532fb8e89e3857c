import { hookSubject } from './hooks.ts';
import type { Problem } from './problem.ts';
import type { Config } from './schema.ts';

/** Subjects that Stentor or NATS uses itself. A question on `feed.` would be stored as a publication. */
const TAKEN = /^(?:feed|rpc|stentor|\$[^.]*|_[^.]*)(?:\.|$)/;

/** A `nats:` setting must name a valid subject, and NATS must be configured. */
export function hookSubjectsAreSubjects({ hooks, namespaces, nats }: Config): Problem[] {
  const settings = [
    ...(['connect', 'disconnect'] as const).map((name) => ({ path: `hooks.${name}`, value: hooks[name] })),
    ...Object.entries(namespaces).flatMap(([namespace, options]) =>
      (['subscribe', 'publish'] as const).map((name) => ({ path: `namespaces.${namespace}.hooks.${name}`, value: options.hooks[name] })),
    ),
  ];
  return settings.flatMap(({ path, value }): Problem[] => {
    const subject = hookSubject(value);
    if (subject === undefined) return [];
    if (!/^[^\s.*>]+(?:\.[^\s.*>]+)*$/.test(subject) || TAKEN.test(subject)) {
      return [{ path, value, expected: 'expected nats:<subject> without wildcards and spaces, not below feed, rpc, stentor, $… or _…' }];
    }
    if (nats.url === '') {
      return [{ path, value, expected: 'expected nats.url to be set: the memory bus has no services to ask. Use a hooks.module instead' }];
    }
    return [];
  });
}

/** `hookFailed: allow` without a hook is refused: it would suggest that a hook protects something. */
export function hookFailuresHaveHooks({ hooks, namespaces }: Config): Problem[] {
  const unused = (path: string, isUnused: boolean): Problem[] =>
    isUnused ? [{ path, value: 'allow', expected: 'expected deny, because there is no such hook' }] : [];
  return [
    ...unused('hooks.hookFailed.connect', hooks.hookFailed.connect === 'allow' && hooks.connect === '' && hooks.module === ''),
    ...Object.entries(namespaces).flatMap(([namespace, { hooks: own }]) =>
      (['subscribe', 'publish'] as const).flatMap((name) =>
        unused(
          `namespaces.${namespace}.hooks.hookFailed.${name}`,
          own.hookFailed[name] === 'allow' && own[name] === '' && own.module === '',
        ),
      ),
    ),
  ];
}

/** A publish hook in a namespace without `clientPublish` would never be asked. */
export function publishHooksArePossible({ namespaces }: Config): Problem[] {
  return Object.entries(namespaces).flatMap(([namespace, { clientPublish, hooks }]) =>
    hooks.publish !== '' && !clientPublish
      ? [
          {
            path: `namespaces.${namespace}.hooks.publish`,
            value: hooks.publish,
            expected: `expected namespaces.${namespace}.clientPublish to be true: the hook is asked only for what clients publish`,
          },
        ]
      : [],
  );
}
