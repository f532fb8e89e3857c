import { connect, type NatsConnection } from '@nats-io/transport-node';
import { streamNameOf } from '../../src/bus/subjects.ts';

/**
 * Counts the reads of a namespace's log, topic by topic, as the server hears them: every request of the JetStream API that names the topic's subject
 * (a consumer made for it, a message asked for). Not what nodes say of themselves.
 */
export class ReadCounter {
  readonly #nc: NatsConnection;
  readonly #counts = new Map<string, number>();

  private constructor(nc: NatsConnection, stream: string) {
    this.#nc = nc;
    for (const subject of [
      `$JS.API.CONSUMER.CREATE.${stream}`,
      `$JS.API.CONSUMER.CREATE.${stream}.>`,
      `$JS.API.STREAM.MSG.GET.${stream}`,
      `$JS.API.DIRECT.GET.${stream}`,
      `$JS.API.DIRECT.GET.${stream}.>`,
    ]) {
      nc.subscribe(subject, { callback: (_, message) => this.#count(`${message.subject} ${message.string()}`) });
    }
  }

  static async start(url: string, namespace: string): Promise<ReadCounter> {
    const nc = await connect({ servers: url });
    const counter = new ReadCounter(nc, streamNameOf(namespace));
    await nc.flush();
    return counter;
  }

  of(topic: string): number {
    return this.#counts.get(topic) ?? 0;
  }

  async stop(): Promise<void> {
    await this.#nc.close();
  }

  #count(request: string): void {
    for (const topic of new Set([...request.matchAll(/feed\.([\w.-]+)/g)].map((match) => match[1] as string))) {
      this.#counts.set(topic, (this.#counts.get(topic) ?? 0) + 1);
    }
  }
}
