import Value from 'typebox/value';
import { type NamespaceOptions, NamespaceSchema } from '../../src/config/schema.ts';

/** A namespace's options: the defaults, but for what a test is about. */
export function namespaceOptions(options: Partial<NamespaceOptions> = {}): NamespaceOptions {
  return Value.Default(NamespaceSchema, { ...options }) as NamespaceOptions;
}
