import type { Config, NamespaceOptions } from './schema.ts';

/**
 * The options of a namespace; undefined where there is none of this name. Safe for any name that comes from outside: `constructor` is
 * no namespace unless the config has one, also after the config has travelled between processes as JSON.
 */
export function namespaceOptions(config: Pick<Config, 'namespaces'>, name: string): NamespaceOptions | undefined {
  return Object.hasOwn(config.namespaces, name) ? config.namespaces[name] : undefined;
}
