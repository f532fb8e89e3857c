import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';

/** A config for tests against a real server: settings by path on top of the defaults. */
export function busConfig(url: string, settings: Readonly<Record<string, unknown>> = {}): Config {
  return loadConfig({ env: {}, flags: { 'nats.url': url, ...settings } }).config;
}
