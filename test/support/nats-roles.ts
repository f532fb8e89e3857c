import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const README = resolve(import.meta.dirname, '../../src/bus/README.md');

/** The documented permissions of each role, as text of a nats-server's configuration. */
export const ROLES = readRoles();

export type Role = 'SETUP' | 'NODE' | 'PRODUCER' | 'SERVICE';
export type Right = 'publish' | 'subscribe';

/** What a role may do, as documented. */
export function permissionsOf(role: Role): { readonly right: Right; readonly subject: string }[] {
  return (['publish', 'subscribe'] as const).flatMap((right) =>
    Array.from(listOf(role, right).matchAll(/"([^"]+)"/g), ([, subject = '']) => ({ right, subject })),
  );
}

/** The configuration without one permission of a role. */
export function rolesWithout(role: Role, right: Right, subject: string): string {
  const list = listOf(role, right);
  // An empty list would permit everything.
  const rest = list.replace(`"${subject}"`, '"none"');
  if (rest === list) throw new Error(`${role} has no ${right} of ${subject}`);
  return ROLES.replace(list, rest);
}

/** Settings of a node, or a command, in a role. */
export function roleSettings(role: Role): Record<string, string> {
  const name = role.toLowerCase();
  return { 'nats.user': name, 'nats.password': `${name}-secret`, 'nats.inboxPrefix': `_INBOX_${name}` };
}

function listOf(role: Role, right: Right): string {
  const begin = ROLES.indexOf(`${role} = {`);
  const body = ROLES.slice(begin, ROLES.indexOf('\n  }', begin));
  return new RegExp(`${right} = \\[[^\\]]*\\]`).exec(body)?.[0] ?? '';
}

function readRoles(): string {
  const text = readFileSync(README, 'utf8');
  const [, roles] = /<!-- permissions:start -->\s*```conf\n([\s\S]*?)```/.exec(text) ?? [];
  if (roles === undefined) throw new Error(`no permissions in ${README}`);
  return roles;
}
