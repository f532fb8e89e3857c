import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import type { Config } from '../../config/schema.ts';
import { BusError } from '../bus.ts';
import { parseServers } from './servers.ts';

type NatsConfig = Config['nats'];

/** How the node proves who it is. */
export interface Login {
  /** For people: the setting that it comes from. */
  readonly name: string;
  /** Called by the client for every attempt to connect, so what it reads from files is always what is there now. */
  readonly authenticator: Authenticator;
}

/**
 * The login that the config names. Config relations have seen to it that there is one at most.
 *
 * @param onTrouble told when a file cannot be used at a later attempt, which then goes without a login and is refused
 * @returns undefined: there is none
 * @throws BusError `bus_unreachable` when a file cannot be used now
 */
export function loginOf(nats: NatsConfig, onTrouble: (reason: string) => void): Login | undefined {
  const login = configured(nats, onTrouble);
  if (login === undefined) return undefined;
  try {
    login.authenticator('');
  } catch (cause) {
    throw new BusError('bus_unreachable', (cause as Error).message, { cause });
  }
  // An authenticator that throws would make the client give up for good.
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

/** A setting's text, or that of the file that it may be in; undefined when neither is set. */
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
      throw new Error(`${name}: ${path} has no user JWT and nkey seed in it`, { cause });
    }
  };
}

/** When the first JWT in the text ends, milliseconds since 1970. */
function expiryOf(text: string): number | undefined {
  const [, claims = ''] = /eyJ[\w-]+\.([\w-]+)\.[\w-]+/.exec(text) ?? [];
  try {
    const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { exp?: unknown };
    return typeof exp === 'number' && exp > 0 ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

/** The file may say more than the seed, as the tools' do. */
function readSeed(path: string): Uint8Array {
  const name = 'nats.nkeySeedFile';
  const [seed] = /\bS[A-Z2-7]{57}\b/.exec(readText(name, path)) ?? [];
  if (seed === undefined) throw new Error(`${name}: ${path} has no nkey seed in it`);
  return Buffer.from(seed);
}

function readText(name: string, path: string): string {
  // Editors and `echo` end a file with a newline, which is no part of a secret.
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
