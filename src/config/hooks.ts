const PREFIX = 'nats:';

/** The subject of a setting like `nats:auth.subscribe`; undefined: there is no such hook. */
export function hookSubject(setting: string): string | undefined {
  return setting === '' ? undefined : setting.slice(PREFIX.length);
}
