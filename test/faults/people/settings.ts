/** What a crowd process is told to be. */
export interface CrowdSettings {
  readonly users: number;
  readonly connectionsPerUser: number;
  /** Further users, with one connection each. */
  readonly singles: number;
  readonly ports: readonly number[];
  readonly tokenSecret: string;
  readonly rooms: number;
  /** `tuning.presence.graceMs` of the nodes. */
  readonly graceMs: number;
  /** `limits.connectionsPerUserMax` of the nodes. */
  readonly connectionsMax: number;
  /** Connections being opened at once, at the beginning. */
  readonly inFlightMax: number;
  readonly seed: number;
}

/** Who is subscribed to a topic, as the clients know it. */
export interface PresenceTruth {
  readonly count: number;
  /** Sorted. */
  readonly users: readonly string[];
}

/** How things are now, as the clients know it. Times are on the clock that all processes of the machine share. */
export interface CrowdState {
  /** By topic with presence. */
  readonly presence: Readonly<Record<string, PresenceTruth>>;
  /** All connections that should be open are open and subscribed. */
  readonly settled: boolean;
  readonly unsettled: readonly string[];
  readonly open: number;
  readonly lastJoinAtMs: number;
  readonly lastLeaveAtMs: number;
  /** Watchers whose `presence` messages do not add up to these members. */
  readonly wrongLists: readonly string[];
  /** The same for counts, which come at most once a second. */
  readonly wrongCounts: readonly string[];
}

/** Counts over the whole run, of what clients received. */
export interface CrowdReport {
  readonly received: number;
  /** Items of a topic that the client may not have, or that were sent to another topic. */
  readonly foreign: number;
  readonly duplicates: number;
  /** Items that were published by nobody in this run, or to another topic. */
  readonly invented: number;
  /** Items that should have been sanitized and are not. */
  readonly unclean: number;
  /** Durable items that never arrived although later ones did. */
  readonly lost: number;
  /** Answers to calls that name another user, or another call. */
  readonly foreignAnswers: number;
  /** `presence` messages that contradict those before: joined twice, left without having joined. */
  readonly contradictions: number;
  /** Users that were reported as left although they had a connection, or came back within the grace time. */
  readonly falseLeaves: number;
  readonly watched: number;
  /** The longest time that a user had more open connections than allowed, NATS being there. */
  readonly overLimitMaxMs: number;
  readonly declared: number;
  readonly closeCodes: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly examples: readonly string[];
}

/** Messages that were sent to a topic while nothing was broken: every client that is subscribed must get each, once. */
export interface DeliveryQuestion {
  readonly messages: readonly { readonly id: number; readonly topic: string }[];
  readonly timeoutMs: number;
}

export interface DeliveryAnswer {
  /** Expected deliveries. */
  readonly expected: number;
  readonly missing: number;
  readonly examples: readonly string[];
}

export interface OpenRequest {
  readonly user: string;
  /** One connection for each, which begins there. */
  readonly ports: readonly number[];
}

/** What happened to the connections of a user, in the order in which they were first opened. */
export interface UserConnections {
  readonly connections: readonly {
    readonly connectionId: string;
    /** On the shared clock. */
    readonly connectedAtMs: number;
    readonly open: boolean;
    readonly port: number;
    readonly closedWith: number | undefined;
    readonly topics: readonly string[];
  }[];
}
