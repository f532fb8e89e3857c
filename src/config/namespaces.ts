import type { Config, NamespaceOptions } from './schema.ts';

/**
 * The options of a namespace; undefined if there is no namespace of this name. Safe for any name from outside: `constructor` is no namespace unless the config
 * has one, also after the config has been sent between processes as JSON.
 */
export function namespaceOptions(config: Pick<Config, 'namespaces'>, name: string): NamespaceOptions | undefined {
  return Object.hasOwn(config.namespaces, name) ? config.namespaces[name] : undefined;
}
