import type { Bus } from '../../bus/bus.ts';
import type { Config } from '../../config/schema.ts';
import type { EndTarget } from '../../link/orders.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import type { Logger } from '../../telemetry/log.ts';
import { NodeAnswers, type OtherNode } from '../node-answers.ts';
import type {
  ConnectionsFound,
  ConnectionsOverview,
  PageOfNames,
  SeriesFound,
  TopicsFound,
  TopicsOverview,
  TopicsQuestion,
  UsersFound,
  UsersOverview,
} from '../report-types.ts';
import { TOPICS_MAX } from '../report-types.ts';
import type { SeriesColumns } from '../series/fields.ts';
import { mergeConnections, mergeTopics, mergeUsers } from './merge.ts';
import {
  type Answer,
  decodeAnswer,
  decodeQuestion,
  encodeAnswer,
  encodeQuestion,
  type Found,
  type FoundOf,
  type Question,
} from './messages.ts';

/** What one node has. */
export interface LocalSources {
  users(question: PageOfNames): UsersOverview;
  connections(target: EndTarget, limit: number): Promise<ConnectionsOverview>;
  topics(question: TopicsQuestion): Promise<TopicsOverview>;
  series(): SeriesColumns;
}

export interface FinderOptions {
  readonly config: Pick<Config, 'tuning'>;
  readonly bus: Pick<Bus, 'announce' | 'onAnnouncement' | 'connected'>;
  /** Id of this process. */
  readonly instance: string;
  readonly nodeId: string;
  readonly logger: Logger;
  readonly local: LocalSources;
  readonly others: () => readonly OtherNode[];
}

type NodeFound<K extends Found['kind']> = { readonly nodeId: string; readonly found: FoundOf<K> };

/**
 * Asks all nodes for users, connections and topics, and answers other nodes. A question goes to all nodes at once; each answers only the one that asked. The
 * time, the bytes and the number of questions are bounded (`tuning.hub.find…`).
 */
export class Finder {
  readonly #options: FinderOptions;
  readonly #answers: NodeAnswers<Answer>;
  readonly #stopListening: readonly (() => void)[];
  #lastQuestion = 0;
  #asking = 0;
  #answering = 0;

  constructor(options: FinderOptions) {
    const { bus, config, instance } = options;
    this.#options = options;
    this.#answers = new NodeAnswers(config.tuning.hub.findBytesMax);
    this.#stopListening = [
      bus.onAnnouncement('control.find', (data) => void this.#hearQuestion(data)),
      bus.onAnnouncement(`control.found.${instance}`, (data) => this.#hearAnswer(data)),
    ];
  }

  /** @throws ProtocolError (by rejection) `busy` */
  async users({ prefix, after, limit }: PageOfNames): Promise<UsersFound> {
    const { all, ...from } = await this.#ask('users', { kind: 'users', ...given({ prefix, after }), limit });
    return { ...mergeUsers(foundOf(all), limit), ...from };
  }

  /** @throws ProtocolError (by rejection) `busy` */
  async topics({ sort, prefix, after, limit }: TopicsQuestion): Promise<TopicsFound> {
    // The largest topics of all nodes are not the largest ones of each.
    const asked = sort === 'name' ? Math.min(limit, TOPICS_MAX) : TOPICS_MAX;
    const { all, ...from } = await this.#ask('topics', { kind: 'topics', sort, ...given({ prefix, after }), limit: asked });
    return { ...mergeTopics(foundOf(all), sort, limit), ...from };
  }

  /** @throws ProtocolError (by rejection) `busy` */
  async connections(target: EndTarget, limit: number): Promise<ConnectionsFound> {
    const { all, ...from } = await this.#ask('connections', { kind: 'connections', target, limit });
    return { ...mergeConnections(all, limit), ...from };
  }

  /** @throws ProtocolError (by rejection) `busy` */
  async series(): Promise<SeriesFound> {
    const { all, ...from } = await this.#ask('series', { kind: 'series' });
    const [own, ...others] = all.map(({ nodeId, found: { columns } }, at) => ({ nodeId, self: at === 0, ...columns }));
    const series = own === undefined ? [] : [own, ...others.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))];
    return { intervalMs: this.#options.config.tuning.admin.seriesIntervalMs, series, ...from };
  }

  stop(): void {
    for (const stop of this.#stopListening) stop();
  }

  async #ask<K extends Found['kind']>(kind: K, question: Question) {
    const { bus, config, instance, nodeId, others } = this.#options;
    const { findsInFlightMax, findTimeoutMs } = config.tuning.hub;
    if (this.#asking >= findsInFlightMax) throw new ProtocolError('busy', `${findsInFlightMax} questions wait for the other nodes`);
    this.#asking++;
    try {
      const questionId = String(++this.#lastQuestion);
      const waiting = this.#answers.wait(questionId, { others: others(), timeoutMs: bus.connected ? findTimeoutMs : 0 });
      // Even if no other node is known: a missing permission is then noticed before there is one.
      bus.announce('control.find', encodeQuestion({ questionId, from: instance, question }));
      const [own, { answers, nodesSilent }] = await Promise.all([this.#findHere(question), waiting]);
      const all: NodeFound<K>[] = [{ nodeId, found: own }, ...answers].flatMap((one) =>
        one.found.kind === kind ? [one as NodeFound<K>] : [],
      );
      return { all, nodes: all.length, nodesSilent };
    } finally {
      this.#asking--;
    }
  }

  async #findHere(question: Question): Promise<Found> {
    const { local } = this.#options;
    switch (question.kind) {
      case 'users': {
        const { users, ...page } = local.users(question);
        return { kind: 'users', ...page, users: [...users] };
      }
      case 'series':
        return { kind: 'series', columns: local.series() as FoundOf<'series'>['columns'] };
      case 'topics': {
        const { topics, sort, ...page } = await local.topics(question);
        return { kind: 'topics', ...page, topics: [...topics] };
      }
      case 'connections': {
        const { connections, ...rest } = await local.connections(question.target, question.limit);
        return { kind: 'connections', ...rest, connections: connections.map((one) => ({ ...one, topics: [...one.topics] })) };
      }
    }
  }

  async #hearQuestion(data: Uint8Array): Promise<void> {
    const { bus, config, instance, nodeId, logger } = this.#options;
    const { findsInFlightMax, findAnswerBytesMax } = config.tuning.hub;
    const asked = decodeQuestion(data);
    if (asked === undefined || asked.from === instance || this.#answering >= findsInFlightMax) return;
    this.#answering++;
    try {
      const found = await this.#findHere(asked.question);
      const answer: Answer = { questionId: asked.questionId, from: instance, nodeId, found };
      bus.announce(`control.found.${asked.from}`, encodeAnswer(answer, findAnswerBytesMax));
    } catch (error) {
      logger.warn({ err: error }, 'a question of another node could not be answered');
    } finally {
      this.#answering--;
    }
  }

  #hearAnswer(data: Uint8Array): void {
    const answer = decodeAnswer(data);
    if (answer !== undefined) this.#answers.answered(answer.questionId, answer.from, answer, data.length);
  }
}

function foundOf<K extends Found['kind']>(all: readonly NodeFound<K>[]): FoundOf<K>[] {
  return all.map(({ found }) => found);
}

/** Without names whose value is undefined: the message must not have them. */
function given({ prefix, after }: Pick<PageOfNames, 'prefix' | 'after'>): { prefix?: string; after?: string } {
  return { ...(prefix !== undefined && { prefix }), ...(after !== undefined && { after }) };
}
