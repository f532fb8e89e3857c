import type { Position } from '../protocol/messages.ts';
import type { Request } from './requests.ts';
import type { SubscribeOptions } from './topic-types.ts';

/** The command for a topic with these options. @param since after what it begins; undefined: as the options say */
export function subscribeRequest(topic: string, options: SubscribeOptions, since?: Position) {
  const { key, sinceMs, snapshot, maxRateHz, echo, timestamps, track, fold, fields, filter, join } = options;
  return {
    type: 'subscribe',
    topic,
    key,
    since,
    sinceMs: since ? undefined : sinceMs,
    snapshot: snapshot || undefined,
    maxRateHz,
    echo: echo === false ? echo : undefined,
    timestamps: timestamps || undefined,
    presence: track && true,
    delta: fold && true,
    parts: join && true,
    fields,
    filter,
  } as const satisfies Request;
}
