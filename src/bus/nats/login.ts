import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import type { Config } from '../../config/schema.ts';
import { BusError } from '../bus-error.ts';
import { parseServers } from './servers.ts';

type NatsConfig = Config['nats'];

/** How the node authenticates. */
export interface Login {
  /** For people: the setting that it comes from. */
  readonly name: string;
  /** Called by the client for every connection attempt, so it reads the current content of files. */
  readonly authenticator: Authenticator;
}

/**
 * The login that the config names. Config relations ensure that there is at most one.
 *
 * @param onTrouble called if a file cannot be used at a later attempt, which is then made without a login and refused
 * @returns undefined: there is none
 * @throws BusError `bus_unreachable` if a file cannot be used now
 */
export function loginOf(nats: NatsConfig, onTrouble: (reason: string) => void): Login | undefined {
  const login = configured(nats, onTrouble);
  if (login === undefined) return undefined;
  try {
    login.authenticator('');
  } catch (cause) {
    throw new BusError('bus_unreachable', (cause as Error).message, { cause });
  }
  // If an authenticator throws, the client gives up permanently.
  const authenticator: Authenticator = (nonce) => {
    try {
      return login.authenticator(nonce);
    } catch (error) {
      onTrouble((error as Error).message);
      return undefined;
    }
  };
  return { name: login.name, authenticator };
}

function configured(nats: NatsConfig, onTrouble: (reason: string) => void): Login | undefined {
  if (nats.credsFile !== '') return { name: 'nats.credsFile', authenticator: creds(nats.credsFile, onTrouble) };
  if (nats.nkeySeedFile !== '') return { name: 'nats.nkeySeedFile', authenticator: nkeyAuthenticator(() => readSeed(nats.nkeySeedFile)) };
  const token = textOf(nats.token, nats.tokenFile, 'nats.tokenFile');
  if (token !== undefined) return { name: token.name ?? 'nats.token', authenticator: tokenAuthenticator(token.read) };
  const user = textOf(nats.user, nats.userFile, 'nats.userFile');
  if (user !== undefined) {
    const password = textOf(nats.password, nats.passwordFile, 'nats.passwordFile');
    const name = [user.name, password?.name].find((file) => file !== undefined) ?? 'nats.user';
    return { name, authenticator: usernamePasswordAuthenticator(user.read, password?.read ?? '') };
  }
  return inUrl(nats.url);
}

function inUrl(url: string): Login | undefined {
  const found = parseServers(url).find(({ user, token }) => user !== undefined || token !== undefined);
  const name = 'nats.url';
  if (found?.token !== undefined) return { name, authenticator: tokenAuthenticator(found.token) };
  if (found?.user !== undefined) return { name, authenticator: usernamePasswordAuthenticator(found.user, found.password ?? '') };
  return undefined;
}

/** The text of a setting, or of the file that it names; undefined if neither is set. */
function textOf(text: string, file: string, name: string): { readonly name?: string; readonly read: () => string } | undefined {
  if (file !== '') return { name, read: () => readText(name, file) };
  return text === '' ? undefined : { read: () => text };
}

function creds(path: string, onTrouble: (reason: string) => void): Authenticator {
  const name = 'nats.credsFile';
  return (nonce) => {
    const bytes = readBytes(name, path);
    const expiredAt = expiryOf(bytes.toString('latin1'));
    // The server only says "authorization violation".
    if (expiredAt !== undefined && expiredAt < Date.now()) onTrouble(`${name}: ${path} expired at ${new Date(expiredAt).toISOString()}`);
    try {
      return credsAuthenticator(bytes)(nonce);
    } catch (cause) {
      throw new Error(`${name}: ${path} has no user JWT and nkey seed`, { cause });
    }
  };
}

/** When the first JWT in the text expires, milliseconds since 1970. */
function expiryOf(text: string): number | undefined {
  const [, claims = ''] = /eyJ[\w-]+\.([\w-]+)\.[\w-]+/.exec(text) ?? [];
  try {
    const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { exp?: unknown };
    return typeof exp === 'number' && exp > 0 ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

/** The file may contain more than the seed, as those of NATS' tools do. */
function readSeed(path: string): Uint8Array {
  const name = 'nats.nkeySeedFile';
  const [seed] = /\bS[A-Z2-7]{57}\b/.exec(readText(name, path)) ?? [];
  if (seed === undefined) throw new Error(`${name}: ${path} has no nkey seed`);
  return Buffer.from(seed);
}

function readText(name: string, path: string): string {
  // Editors and `echo` end a file with a newline, which is not part of the secret.
  const text = readBytes(name, path)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (text === '') throw new Error(`${name}: ${path} is empty`);
  return text;
}

function readBytes(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new Error(`${name} cannot be read: ${path} (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`, { cause });
  }
}
