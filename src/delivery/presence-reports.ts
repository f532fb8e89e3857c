import type { WorkerEnd } from '../link/link.ts';
import type { Member } from '../presence/member.ts';
import type { MemberReport, PresenceReport } from '../presence/tracker.ts';
import type { Topic } from '../protocol/topic.ts';

/** Interval between two reports while there are changes. */
const BATCH_MS = 100;

interface TopicSum {
  delta: number;
  readonly members: Map<string, MemberSum>;
}

interface MemberSum {
  readonly member: Member;
  delta: number;
  closed: boolean;
}

export interface PresenceReportsOptions {
  readonly link: Pick<WorkerEnd, 'send'>;
  /** True: the topic's members are named. False: only counted. */
  readonly isNamed: (topic: Topic) => boolean;
}

/** Reports to the hub who joined and left topics with presence. Changes are summed: a member that joins and leaves between two reports is not reported. */
export class PresenceReports {
  readonly #options: PresenceReportsOptions;
  #topics = new Map<Topic, TopicSum>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PresenceReportsOptions) {
    this.#options = options;
  }

  came(topic: Topic, member: Member): void {
    this.#add(topic, member, 1, false);
  }

  /** @param closed its connection closed, so it may come back */
  went(topic: Topic, member: Member, closed: boolean): void {
    this.#add(topic, member, -1, closed);
  }

  /** Reports now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const reports: PresenceReport[] = [];
    for (const [topic, { delta, members }] of this.#topics) {
      const changed: MemberReport[] = [...members.values()].filter((sum) => sum.delta !== 0);
      if (changed.length > 0) reports.push({ topic, delta, members: changed });
      else if (delta !== 0) reports.push({ topic, delta });
    }
    this.#topics = new Map();
    if (reports.length > 0) this.#options.link.send({ kind: 'presenceReport', reports });
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #add(topic: Topic, member: Member, delta: 1 | -1, closed: boolean): void {
    this.#timer ??= setTimeout(() => this.flush(), BATCH_MS);
    let sum = this.#topics.get(topic);
    if (sum === undefined) {
      sum = { delta: 0, members: new Map() };
      this.#topics.set(topic, sum);
    }
    sum.delta += delta;
    if (!this.#options.isNamed(topic)) return;
    const known = sum.members.get(member.id);
    if (known === undefined) sum.members.set(member.id, { member, delta, closed });
    else {
      known.delta += delta;
      known.closed ||= closed;
    }
  }
}
