import type { FeedPlan, FeedResult } from '../core/feed.ts';
import type { DialectName } from '../swarm/dialects.ts';

/** One kind of server, as the scenarios see it. Each runs in processes of its own. */
export interface ServerUnderTest {
  readonly name: string;
  /** For tables and charts. */
  readonly title: string;
  /** Why it can't run here; undefined: it can. */
  missing(): string | undefined;
  start(settings: StartSettings): Promise<RunningServer>;
}

export interface StartSettings {
  /** Server processes or nodes, each with a port of its own; those of more than one are joined by NATS. */
  readonly nodes: number;
  /** Workers of a Stentor node; others have no such thing. */
  readonly workers: number;
  /** Publications carry keys, and the latest per key is the topic's state, where a server knows of keys. */
  readonly keyed: boolean;
  /** Publications that the floor joins in one send, 1 at least, a mean: 2.5 is two and three in turn. Others decide by themselves. */
  readonly itemsPerSend?: number;
}

export interface Flood {
  readonly topic: string;
  readonly count: number;
  readonly payloadBytes: number;
}

export interface RunningServer {
  readonly dialect: DialectName;
  /** By node. */
  readonly ports: readonly number[];
  /** Roots of what is measured: their children count too, the feeder and NATS do not (but for NATS as a server under test). */
  readonly pids: readonly number[];
  /** Of NATS, which is not measured with the server, but beside it. */
  readonly brokerPid?: number;
  /** Every client is a user of its own, with a token signed by it. */
  readonly tokenSecret?: string;
  /** Of the broker that its nodes share. */
  readonly natsUrl?: string;
  /** The feed comes out of the measured process itself. */
  readonly selfFed: boolean;
  /** Publishes the plan and resolves when the last publication was handed over. */
  feed(plan: FeedPlan): Promise<FeedResult>;
  /** Publishes as fast as it is taken, on no schedule. */
  flood?(flood: Flood): Promise<void>;
  /** One of its own metrics, by its name in Prometheus' format: the sum over its labels. */
  metric?(name: string): Promise<number>;
  /** Ends the server's processes and starts others, which the same broker feeds; ports and pids are theirs from then on. */
  restart?(): Promise<void>;
  stop(): Promise<void>;
}

/** What the peers' processes answer to `start`. */
export interface Listening {
  readonly port: number;
}

/** Stentor's answer has the admin listener's too. */
export interface NodeListening extends Listening {
  readonly adminPort: number;
}
