/** A channel between nodes: `nodes`, `presence.all`, `users.ann`, `control`, `control.find`. Tokens of `[A-Za-z0-9_-]` joined by dots. */
export type Channel = `${'nodes' | 'presence' | 'users' | 'control'}${'' | `.${string}`}`;

/** What servers ask of nodes: `send.namespace.chat`, `send.connection.<id>`, `call.connection.<id>.<method>`. In a pattern `*` and `>` are as in NATS. */
export type RequestAddress = `${'send' | 'call'}.${string}`;

/** The channel of the nodes that have connections of a user: the user's token, or a digest. */
export type UserChannel = `users.${string}`;
