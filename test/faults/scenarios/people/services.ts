import { jetstream } from '@nats-io/jetstream';
import { connect, headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import type { HookQuestion } from '../../../../src/hooks/types.ts';

const LARGE_BYTES = 300_000;

/** What programs of the operator do over NATS: they answer calls and hooks, and publish. */
export class Services {
  /** Topic by id of everything that was published in the run, by anybody. */
  readonly sent = new Map<number, string>();
  /** Questions of the hooks, by hook. */
  readonly asked: Record<string, number> = {};
  readonly #nc: NatsConnection;
  #nextId = 1;

  private constructor(nc: NatsConnection) {
    this.#nc = nc;
    this.#serve('rpc.who', (message) => {
      const user = decodeURIComponent(message.headers?.get('Stentor-User') ?? '');
      return { user, connection: message.headers?.get('Stentor-Connection'), asked: message.json() };
    });
    this.#serve('rpc.large', () => 'x'.repeat(LARGE_BYTES));
    this.#serve('rpc.silent', () => undefined);
    nc.subscribe('rpc.conflict', {
      callback: (_, message) => {
        const told = headers();
        told.set('Nats-Service-Error-Code', '409');
        told.set('Nats-Service-Error', 'cancelled already');
        message.respond('', { headers: told });
      },
    });
    this.#serve('hooks.all', (message) => this.#decide(message.json<HookQuestion>()));
    this.#serve('hooks.silent', () => undefined);
  }

  static async start(url: string): Promise<Services> {
    const nc = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 100, reconnectJitter: 50 });
    const services = new Services(nc);
    await nc.flush();
    return services;
  }

  /** An id for a publication that somebody else publishes. */
  take(topic: string): number {
    const id = this.#nextId++;
    this.sent.set(id, topic);
    return id;
  }

  /** As a producer on NATS. */
  publish(topic: string): number {
    const id = this.take(topic);
    this.#nc.publish(`feed.${topic}`, JSON.stringify({ id, to: topic }));
    return id;
  }

  /** Resolves when the log has it. */
  async publishDurable(topic: string): Promise<number> {
    const id = this.take(topic);
    await jetstream(this.#nc).publish(`feed.${topic}`, JSON.stringify({ id, to: topic }), { msgID: `${id}` });
    return id;
  }

  control(order: object): void {
    this.#nc.publish('stentor.control', JSON.stringify(order));
  }

  flush(): Promise<void> {
    return this.#nc.flush();
  }

  close(): Promise<void> {
    return this.#nc.close();
  }

  #serve(subject: string, answer: (message: Msg) => unknown): void {
    this.#nc.subscribe(subject, {
      callback: (error, message) => {
        const value = error === null ? answer(message) : undefined;
        if (value !== undefined) message.respond(JSON.stringify(value));
      },
    });
  }

  #decide(question: HookQuestion): object {
    this.asked[question.hook] = (this.asked[question.hook] ?? 0) + 1;
    if (question.hook === 'connect' && question.user?.startsWith('banned') === true) {
      return { allow: false, code: 'banned', message: 'you are banned' };
    }
    if (question.hook === 'subscribe') {
      if (question.topic === 'talk.staff') return { allow: false, code: 'members_only', message: 'for members only' };
      if (question.topic === 'talk.trial')
        return question.again ? { allow: false, code: 'trial_over' } : { allow: true, expiresInMs: 1000 };
    }
    if (question.hook === 'publish') {
      const data = question.data as { readonly text?: string };
      if (data.text === 'insult') return { allow: false, code: 'insult', message: 'be nice' };
      if (data.text === 'change me') return { allow: true, data: { ...data, text: 'changed' } };
    }
    return { allow: true, cacheMs: question.hook === 'publish' ? 0 : 1000 };
  }
}
