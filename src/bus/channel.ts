/** A channel between nodes: `nodes`, `presence.all`, `users.ann`, `control`, `control.find`. Tokens of `[A-Za-z0-9_-]` joined by dots. */
export type Channel = `${'nodes' | 'presence' | 'users' | 'control'}${'' | `.${string}`}`;

/** The channel of the nodes that have connections of a user: the user's token, or a digest. */
export type UserChannel = `users.${string}`;
