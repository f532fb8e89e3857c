import { Counter, Gauge, type Registry } from 'prom-client';
import type { StaleCount } from './health/feed-health.ts';
import type { PresenceFigures } from './presence.ts';

// Metrics whose values are kept elsewhere, and read at a scrape.

export function watchSending(deliverer: { readonly inFlight: number }, registry: Registry): void {
  new Gauge({
    name: 'stentor_client_requests_in_flight',
    help: 'Calls of clients, and messages to single connections, that this node has not answered yet.',
    registers: [registry],
    collect() {
      this.set(deliverer.inFlight);
    },
  });
}

/** @param bytes of log reads under way, and of kept results */
export function watchReads(bytes: () => { readonly reading: number; readonly kept: number }, registry: Registry): void {
  new Gauge({
    name: 'stentor_log_read_bytes',
    help: 'Bytes of reads of the log for clients, by state: reading (what those under way may bring, of tuning.answers.answerBytesPerNodeMax), kept (for the next pages of answers, of a quarter of tuning.recent.bytesMax).',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      for (const [state, value] of Object.entries(bytes())) this.set({ state }, value);
    },
  });
}

/** @param counts of stale topics; reasons that are left out have none */
export function watchStale(counts: () => Iterable<StaleCount>, registry: Registry): void {
  new Gauge({
    name: 'stentor_topics_stale',
    help: 'Open topics that have neither a publication nor a heartbeat for staleAfterMs, by reason: producer_silent, broker_lost.',
    labelNames: ['topic_namespace', 'reason'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { namespace, reason, topics } of counts()) this.set({ topic_namespace: namespace, reason }, topics);
    },
  });
}

/** @param count nodes that share the bus, including this one */
export function watchNodes(count: () => number, registry: Registry): void {
  new Gauge({
    name: 'stentor_nodes',
    help: 'Nodes that share the bus and announced themselves recently, including this one.',
    registers: [registry],
    collect() {
      this.set(count());
    },
  });
}

/** Users with connections to this node, and known revocations. */
export function watchUsers(users: { readonly size: number }, revocations: { readonly size: number }, registry: Registry): void {
  const gauges = [
    ['stentor_users', 'Users with a connection to this node.', users],
    ['stentor_revocations', 'Revoked tokens, and users with revoked tokens, that this node knows.', revocations],
  ] as const;
  for (const [name, help, counted] of gauges) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(counted.size);
      },
    });
  }
}

export function watchPresence(presence: { readonly figures: PresenceFigures }, registry: Registry): void {
  const registers = [registry];
  const gauges = [
    ['stentor_presence_topics', 'Topics with presence that somebody on any node is subscribed to, or was a moment ago.', 'topics'],
    ['stentor_presence_member_bytes', 'Bytes of the names and infos of members, of tuning.presence.membersBytesMax.', 'memberBytes'],
  ] as const;
  for (const [name, help, figure] of gauges) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(presence.figures[figure]);
      },
    });
  }
  const counters = [
    ['stentor_presence_gaps_total', 'Times that something of another node was missing, and its presence was asked for.', 'gaps'],
    ['stentor_presence_states_sent_total', 'Times that another node was sent all presence of this one.', 'statesSent'],
    [
      'stentor_presence_topics_refused_total',
      'Times that a topic of another node was not taken, for tuning.presence.topicsMax.',
      'topicsRefused',
    ],
  ] as const;
  for (const [name, help, figure] of counters) {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(presence.figures[figure]);
      },
    });
  }
}
