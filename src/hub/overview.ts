import type { TopicsWanted } from '../link/reports.ts';
import type { FeedName } from '../protocol/feed-name.ts';
import { top } from '../telemetry/top.ts';
import type { HubTopic } from './hub-topic.ts';
import { pageOfNames } from './page-of-names.ts';
import { TOPICS_MAX, type TopicFigures, type TopicsOverview, type TopicsQuestion } from './report-types.ts';
import { TopicRates } from './topic-rates.ts';
import type { TopicRegistry } from './topic-registry.ts';
import type { WorkerReports } from './worker-reports.ts';

interface Members {
  readonly members: number;
  readonly lagging: number;
}

/** The largest topics: by members, which workers know, or by rate, which the hub knows. */
export class Overview {
  readonly #topics: TopicRegistry;
  readonly #reports: WorkerReports;
  readonly #rates: TopicRates;

  constructor(topics: TopicRegistry, reports: WorkerReports) {
    this.#topics = topics;
    this.#reports = reports;
    this.#rates = new TopicRates(() => topics.all());
  }

  /**
   * The largest `limit` topics, or a page of all. Their values are exact. The selection by rate is exact too. The selection by members uses the {@link TOPICS_MAX} largest topics
   * of each worker; the kernel distributes the members of a topic over all workers.
   */
  async topics(question: TopicsQuestion): Promise<TopicsOverview> {
    const { sort } = question;
    await this.#rates.refresh();
    const { names, ...page } = await this.#names(question);
    const { members, silent } = await this.#members({ named: names });
    const figures = names.map((topic): TopicFigures => {
      const { members: all, lagging } = members.get(topic) ?? { members: 0, lagging: 0 };
      return { topic, members: all, lagging, publicationsPerSecond: this.#topics.get(topic)?.publishedPerSecond ?? 0 };
    });
    const weight = (topic: TopicFigures) => (sort === 'rate' ? topic.publicationsPerSecond : topic.members);
    if (sort !== 'name') figures.sort((a, b) => weight(b) - weight(a) || (a.topic < b.topic ? -1 : 1));
    return { sort, ...page, topics: figures, workersSilent: silent };
  }

  async #names(question: TopicsQuestion): Promise<{ names: readonly FeedName[]; total: number; next?: string }> {
    const { sort, prefix = '', limit } = question;
    if (sort === 'name') {
      const { names, ...page } = pageOfNames(this.#topicNames(), question);
      return { ...page, names: names as readonly FeedName[] };
    }
    const names = sort === 'rate' ? this.#fastest(prefix, limit) : await this.#largest(prefix, limit);
    return { names, total: prefix === '' ? this.#topics.size : pageOfNames(this.#topicNames(), { prefix, limit: 0 }).total };
  }

  *#topicNames(): Iterable<FeedName> {
    for (const { topic } of this.#topics.all()) yield topic;
  }

  *#beginningWith(prefix: string): Iterable<HubTopic> {
    for (const open of this.#topics.all()) if (open.topic.startsWith(prefix)) yield open;
  }

  #fastest(prefix: string, limit: number): FeedName[] {
    return top(this.#beginningWith(prefix), limit, (topic) => topic.publishedPerSecond).map(({ topic }) => topic);
  }

  async #largest(prefix: string, limit: number): Promise<FeedName[]> {
    const { members, silent } = await this.#members({ top: TOPICS_MAX, prefix });
    const names = top(members, limit, ([, figures]) => figures.members).map(([topic]) => topic);
    if (silent > 0) return names;
    // Topics stay open for a while after their last member has left.
    for (const { topic } of this.#beginningWith(prefix)) {
      if (names.length >= limit) break;
      if (!members.has(topic)) names.push(topic);
    }
    return names;
  }

  /** Summed over the workers. */
  async #members(wanted: TopicsWanted): Promise<{ members: Map<FeedName, Members>; silent: number }> {
    const members = new Map<FeedName, Members>();
    const { reports, silent } = await this.#reports.reports(wanted);
    for (const { topics } of reports) {
      for (const { topic, ...here } of topics) {
        const sum = members.get(topic) ?? { members: 0, lagging: 0 };
        members.set(topic, { members: sum.members + here.members, lagging: sum.lagging + here.lagging });
      }
    }
    return { members, silent };
  }
}
