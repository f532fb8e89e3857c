const PREFIX = 'nats:';

/** @returns the subject of a setting such as `nats:auth.subscribe`; undefined: there is no such hook */
export function hookSubject(setting: string): string | undefined {
  return setting === '' ? undefined : setting.slice(PREFIX.length);
}
