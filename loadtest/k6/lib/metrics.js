import { Counter, Rate, Trend } from 'k6/metrics';

/** The same names in every script; each sets thresholds on those that it fills. Times in milliseconds. */
export const metrics = {
  /** From the first byte of the handshake to the answer of `subscribe`. */
  connectMs: new Trend('stentor_connect_ms', true),
  connected: new Rate('stentor_connected'),
  /** Connections that closed or failed unexpectedly. */
  lost: new Counter('stentor_lost'),
  errors: new Counter('stentor_errors'),
  /** From the time that the publisher wrote into the payload to its arrival. */
  latencyMs: new Trend('stentor_latency_ms', true),
  items: new Counter('stentor_items'),
  batches: new Counter('stentor_batches'),
  /** Ranges of a topic that did not begin where the last one ended. */
  gaps: new Counter('stentor_gaps'),
  /** Items that came twice over one connection. */
  overlaps: new Counter('stentor_overlaps'),
  /** Rate of subscribers that received everything that was acked to publishers. */
  complete: new Rate('stentor_complete'),
  ackMs: new Trend('stentor_ack_ms', true),
  acked: new Rate('stentor_acked'),
  /** From the reconnect's first byte to everything missed being there. */
  resumeMs: new Trend('stentor_resume_ms', true),
  recovered: new Rate('stentor_recovered'),
};

export const SUMMARY_STATS = ['min', 'med', 'p(95)', 'p(99)', 'max'];
