import type { Config } from './schema.ts';

/** What workers need of the config: without the secrets of the admin port and of NATS. Only the hub uses these, and workers read what strangers send. */
export function workerConfig(config: Config): Config {
  return {
    ...config,
    admin: { ...config.admin, token: '', tokens: [] },
    nats: { ...config.nats, url: '', user: '', password: '', token: '', originSecrets: [] },
  };
}

/** Variables with such secrets. */
const SECRET_VARIABLES = /^STENTOR_(ADMIN|NATS)_/;

/** The environment of a worker process: without the variables of these secrets. */
export function workerEnvironment(env = process.env): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !SECRET_VARIABLES.test(name)));
}
