import type { Config } from '../../config/schema.ts';
import { channelSubjectOf, USER_CHANNELS, USER_TOPICS } from '../subjects.ts';
import type { Connection } from './connection.ts';
import { EPOCH_BUCKET, LIVES_BUCKET } from './epoch-store.ts';
import { flush } from './flush.ts';
import { openConnection } from './open-connection.ts';
import { natsSettings } from './settings.ts';
import { Streams } from './streams.ts';

/** A subject below a channel that nobody listens to. */
const PROBE = 'doctor';
/** The server answers a request that it denies at once, but later than the flush. */
const DENIAL_MS = 200;

/** What a node would find at its NATS. */
export interface NatsCheck {
  /** Without logins. */
  readonly servers: string;
  readonly version: string;
  readonly roundTripMs: number;
  /** The clock of NATS minus the one here. Undefined: no stream says it (before 2.10, or there is none). */
  readonly clockOffsetMs: number | undefined;
  /** Missing permissions, and what else NATS refuses, for people. */
  readonly denied: readonly string[];
  readonly streams: readonly StreamCheck[];
}

export interface StreamCheck {
  readonly namespace: string;
  /** Code and text of the error; absent: the stream exists, and is as configured. */
  readonly problem?: { readonly code: string; readonly message: string };
}

/**
 * Connects as a node does, and tries what can be tried without a trace: no stream is created, and nothing is published that a node, a client or a log takes.
 * So publishing to `feed.…`, calls, and writing to the buckets are not tried.
 * @throws BusError as when a node starts
 */
export async function checkNats(config: Config): Promise<NatsCheck> {
  const nats = { ...natsSettings(config), manageStreams: false };
  const denied: string[] = [];
  const { connection, servers, version, troubles } = await openConnection(nats, 'stentor doctor', (_, message) => denied.push(message));
  try {
    const roundTripMs = await connection.nc.rtt();
    const manager = await Streams.open(connection, nats);
    const streams = await Promise.all(durableOf(config).map(([name, options]) => checkStream(manager, name, options)));
    const buckets = nats.epochStorage === 'file' ? [EPOCH_BUCKET, LIVES_BUCKET] : [EPOCH_BUCKET];
    for (const bucket of buckets) await manager.manager.streams.info(`KV_${bucket}`).catch(() => undefined);
    const clockOffsetMs = await clockOffset(manager, streams);
    await tryChannels(connection);
    return { servers, version, roundTripMs, clockOffsetMs, denied, streams };
  } finally {
    troubles.stop();
    await connection.close();
  }
}

function durableOf({ namespaces }: Config) {
  return Object.entries(namespaces).filter(([, { durable }]) => durable);
}

async function checkStream(streams: Streams, namespace: string, options: Config['namespaces'][string]): Promise<StreamCheck> {
  try {
    await streams.ensure(namespace, options);
    return { namespace };
  } catch (error) {
    const { code = 'failed', message } = error as Error & { code?: string };
    return { namespace, problem: { code, message } };
  }
}

/** From the time in an answer of JetStream, in the middle of the question. */
async function clockOffset(streams: Streams, checks: readonly StreamCheck[]): Promise<number | undefined> {
  const found = checks.find(({ problem }) => problem === undefined);
  if (found === undefined) return undefined;
  const beforeMs = Date.now();
  const info = (await streams.find(found.namespace).catch(() => undefined)) as { readonly ts?: string } | undefined;
  const middleMs = (beforeMs + Date.now()) / 2;
  const serverMs = Date.parse(info?.ts ?? '');
  return Number.isNaN(serverMs) ? undefined : Math.round(serverMs - middleMs);
}

/** Nodes ignore what is empty. */
async function tryChannels(connection: Connection): Promise<void> {
  const { nc } = connection;
  const empty = new Uint8Array();
  for (const channel of ['nodes', 'control', 'control.find', `presence.${PROBE}`, `users.${PROBE}`] as const) {
    nc.publish(channelSubjectOf(channel), empty);
  }
  const channels = (['nodes', 'control', 'control.find', 'presence.all'] as const).map((channel) => channelSubjectOf(channel));
  for (const subject of [...channels, USER_CHANNELS, USER_TOPICS]) nc.subscribe(subject, { callback: () => undefined });
  await flush(connection);
  await new Promise((resolve) => setTimeout(resolve, DENIAL_MS));
}
