import Value from 'typebox/value';
import { NamespaceSchema } from '../../src/config/schema/namespaces.ts';
import type { NamespaceOptions } from '../../src/config/schema.ts';

/** A namespace's options: the defaults, but for what a test is about. */
export function namespaceOptions(options: Partial<NamespaceOptions> = {}): NamespaceOptions {
  return Value.Default(NamespaceSchema, { ...options }) as NamespaceOptions;
}
