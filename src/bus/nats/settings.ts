import type { Config } from '../../config/schema.ts';

/** Everything that the config says about NATS: what an operator decides, and `tuning.nats`. */
export type NatsSettings = Config['nats'] & Config['tuning']['nats'];

export function natsSettings({ nats, tuning }: Pick<Config, 'nats' | 'tuning'>): NatsSettings {
  return { ...nats, ...tuning.nats };
}
