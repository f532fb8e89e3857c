import type { Config } from '../../config/schema.ts';

/** All NATS settings: the operator's, and `tuning.nats`. */
export type NatsSettings = Config['nats'] & Config['tuning']['nats'];

export function natsSettings({ nats, tuning }: Pick<Config, 'nats' | 'tuning'>): NatsSettings {
  return { ...nats, ...tuning.nats };
}
