import { JetStreamApiError, type JetStreamManager, jetstreamManager, type StreamInfo } from '@nats-io/jetstream';
import type { NamespaceOptions } from '../../config/schema.ts';
import { BusError } from '../bus-error.ts';
import { streamNameOf } from '../subjects.ts';
import type { Connection } from './connection.ts';
import { failureOf, isStreamNotFound, unreachable } from './errors.ts';
import { apiOf, DEFAULT_NAMES } from './names.ts';
import type { NatsSettings } from './settings.ts';
import { differenceOf, streamConfigOf } from './stream-config.ts';

const STREAM_NAME_IN_USE = 10058;
const INSUFFICIENT_STORAGE = 10047;
const SUBJECTS_OVERLAP = 10065;

/** The streams of durable namespaces: created if missing, checked if they exist, never changed. */
export class Streams {
  readonly #connection: Connection;
  readonly #nats: NatsSettings;

  /** With the default timeout. */
  readonly manager: JetStreamManager;
  /** Prefix of their JetStream API. */
  readonly api: string;

  private constructor(connection: Connection, nats: NatsSettings, api: string, manager: JetStreamManager) {
    this.api = api;
    this.#connection = connection;
    this.#nats = nats;
    this.manager = manager;
  }

  /** @param domain if it differs from the configured one */
  static async open(connection: Connection, nats: NatsSettings, domain = ''): Promise<Streams> {
    const api = domain === '' ? connection.names.api : apiOf(domain);
    return new Streams(connection, nats, api, await makeManager(connection, api, nats.requestTimeoutMs));
  }

  /** The same with a shorter timeout, if `timeoutMs` is less than the default. */
  hastyManager(timeoutMs: number): Promise<JetStreamManager> {
    return makeManager(this.#connection, this.api, Math.min(timeoutMs, this.#nats.requestTimeoutMs));
  }

  /** The current state of the namespace's stream. @throws BusError `jetstream_unavailable`; Error */
  async find(namespace: string): Promise<StreamInfo | undefined> {
    const name = streamNameOf(namespace);
    try {
      return await this.#info(name);
    } catch (error) {
      if (failureOf(error) === 'no_responders') throw this.#noJetStream(name, error);
      throw error;
    }
  }

  /**
   * The namespace's stream, created if it is missing.
   * @throws BusError `stream_mismatch`, `stream_missing`, `stream_refused`, `jetstream_unavailable`, `bus_unreachable`
   */
  async ensure(namespace: string, options: NamespaceOptions): Promise<StreamInfo> {
    const name = streamNameOf(namespace);
    const expected = streamConfigOf(namespace, options, this.#nats);
    try {
      const info = (await this.#info(name)) ?? (await this.#create(expected));
      const difference = differenceOf(info.config, expected);
      if (difference === undefined) return info;
      const { field, found, expected: wanted } = difference;
      throw new BusError(
        'stream_mismatch',
        `stream ${name}: ${field} is ${found}, expected ${wanted}; change the namespace's config, or edit the stream (Stentor never changes it)`,
      );
    } catch (error) {
      if (failureOf(error) === 'no_responders') {
        throw this.#noJetStream(name, error);
      }
      if ((error as { code?: number }).code === INSUFFICIENT_STORAGE) {
        throw new BusError(
          'jetstream_unavailable',
          `stream ${name}: JetStream has not enough space to reserve history.maxBytes (${expected.max_bytes}); lower it, or raise the server's max_file_store`,
          { cause: error },
        );
      }
      throw unreachable(`stream ${name}`, error, this.#connection.names);
    }
  }

  async #info(name: string): Promise<StreamInfo | undefined> {
    try {
      return await this.#connection.request(() => this.manager.streams.info(name));
    } catch (error) {
      if (isStreamNotFound(error)) return undefined;
      throw error;
    }
  }

  async #create(config: ReturnType<typeof streamConfigOf>): Promise<StreamInfo> {
    if (!this.#nats.manageStreams) {
      throw new BusError(
        'stream_missing',
        `stream ${config.name} does not exist, and nats.manageStreams is false: \`stentor setup\`, run as a NATS user with the permission, creates it`,
      );
    }
    // Fields at their zero value that the server does not know are left out, because it would refuse them.
    const { allow_msg_ttl: _, ...known } = config;
    try {
      return await this.#connection.request(() => this.manager.streams.add(known));
    } catch (error) {
      // Another node created it first with another configuration: the comparison says how it differs.
      const other = (error as { code?: number }).code === STREAM_NAME_IN_USE ? await this.#info(config.name) : undefined;
      if (other !== undefined) return other;
      if (!(error instanceof JetStreamApiError) || failureOf(error) !== 'refused' || error.code === INSUFFICIENT_STORAGE) throw error;
      throw new BusError('stream_refused', `stream ${config.name}: ${await this.#whyRefused(config.subjects, error)}`, { cause: error });
    }
  }

  async #whyRefused(subjects: readonly string[], error: JetStreamApiError): Promise<string> {
    if (error.code !== SUBJECTS_OVERLAP) return `NATS refused to create it: ${error.message}`;
    const others = await Promise.all(subjects.map((subject) => this.#streamsWith(subject)));
    const names = [...new Set(others.flat())];
    const taken = names.length === 0 ? 'another stream has' : `${names.map((name) => JSON.stringify(name)).join(', ')} has`;
    return `${taken} subjects of ${subjects.join(', ')} already, and a subject can be in one stream only; remove them there, or rename the namespace`;
  }

  /** Without the permission to ask, no stream is named. */
  async #streamsWith(subject: string): Promise<string[]> {
    return this.#connection.request(() => this.manager.streams.names(subject).next()).catch(() => []);
  }

  #noJetStream(stream: string, cause: unknown): BusError {
    const { api } = this;
    const hint =
      api === DEFAULT_NAMES.api ? 'is it enabled?' : `is it enabled, and is ${api} the prefix of its API (nats.jetstreamDomain)?`;
    return new BusError('jetstream_unavailable', `stream ${stream}: JetStream does not answer; ${hint}`, { cause });
  }
}

function makeManager(connection: Connection, api: string, timeoutMs: number): Promise<JetStreamManager> {
  return jetstreamManager(connection.nc, { checkAPI: false, timeout: timeoutMs, apiPrefix: api });
}
