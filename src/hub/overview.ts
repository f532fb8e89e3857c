import type { TopicsWanted } from '../link/messages.ts';
import type { Topic } from '../protocol/topic.ts';
import { top } from '../telemetry/top.ts';
import { TOPICS_MAX, type TopicFigures, type TopicSort, type TopicsOverview } from './report-types.ts';
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
   * The largest `limit` topics. Their values are exact. The selection by rate is exact too. The selection by members uses the {@link TOPICS_MAX} largest topics
   * of each worker; the kernel distributes the members of a topic over all workers.
   */
  async topics(sort: TopicSort, limit: number): Promise<TopicsOverview> {
    await this.#rates.refresh();
    const names = sort === 'rate' ? this.#fastest(limit) : await this.#largest(limit);
    const { members, silent } = await this.#members({ named: names });
    const figures = names.map((topic): TopicFigures => {
      const { members: all, lagging } = members.get(topic) ?? { members: 0, lagging: 0 };
      return { topic, members: all, lagging, publicationsPerSecond: this.#topics.get(topic)?.publishedPerSecond ?? 0 };
    });
    const weight = (topic: TopicFigures) => (sort === 'rate' ? topic.publicationsPerSecond : topic.members);
    figures.sort((a, b) => weight(b) - weight(a) || (a.topic < b.topic ? -1 : 1));
    return { sort, total: this.#topics.size, topics: figures, workersSilent: silent };
  }

  #fastest(limit: number): Topic[] {
    return top(this.#topics.all(), limit, (topic) => topic.publishedPerSecond).map(({ topic }) => topic);
  }

  async #largest(limit: number): Promise<Topic[]> {
    const { members, silent } = await this.#members({ top: TOPICS_MAX });
    const names = top(members, limit, ([, figures]) => figures.members).map(([topic]) => topic);
    if (silent > 0) return names;
    // Topics stay open for a while after their last member has left.
    for (const { topic } of this.#topics.all()) {
      if (names.length >= limit) break;
      if (!members.has(topic)) names.push(topic);
    }
    return names;
  }

  /** Summed over the workers. */
  async #members(wanted: TopicsWanted): Promise<{ members: Map<Topic, Members>; silent: number }> {
    const members = new Map<Topic, Members>();
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
