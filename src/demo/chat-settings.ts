import { namespaceOptions } from '../config/namespaces.ts';
import { DEFAULT_NAMESPACES } from '../config/schema/namespaces.ts';
import type { Config } from '../config/schema.ts';

/** The key that a demo node creates at its start, where none is configured. */
export const DEMO_KEY_ID = 'demo';

/** What visitors of the chat page may do. Everybody may read their own topic in the namespace `user`, without a permission. */
export const VISITOR_PERMISSIONS = {
  subscribe: ['chat.*', 'typing.*'],
  publish: ['chat.*', 'typing.*', 'user.*'],
  call: [],
} as const;

const SIXTEEN_MIB = 16 * 1024 * 1024;

/**
 * The built-in namespaces, as the chat sample needs them. `user` is durable, so that a direct message reaches somebody who is just reconnecting, and can be read
 * again after a reload. They are used only where the operator has set no namespaces.
 */
export const DEMO_NAMESPACES = {
  ...DEFAULT_NAMESPACES,
  scores: { ...DEFAULT_NAMESPACES.scores, staleAfterMs: 10_000 },
  chat: { ...DEFAULT_NAMESPACES.chat, presence: 'members', sanitize: 'text' },
  typing: { durable: false, clientPublish: true },
  user: { durable: true, clientPublish: true, sanitize: 'text', history: { maxCount: 200, maxBytes: SIXTEEN_MIB } },
} as const;

/** Whether the namespaces are such that the chat sample works. */
export function offersChat(config: Pick<Config, 'namespaces'>): boolean {
  const [chat, typing, user] = ['chat', 'typing', 'user'].map((name) => namespaceOptions(config, name));
  const writable = [chat, typing, user].every((namespace) => namespace?.clientPublish && namespace.state === 'last');
  return writable && chat?.durable === true && chat.presence === 'members' && typing?.durable === false && user?.durable === true;
}
