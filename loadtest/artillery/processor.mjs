import { endOf, publicationOf } from '../k6/lib/publication.js';
import { Client } from './client.mjs';
import { AWAY_S, DURATION_S, ENCODING, PAYLOAD_BYTES, RATE, TOPIC, TOPICS_PER_CLIENT, tokenFor, WATCHLIST } from './settings.mjs';

/** Functions that the scripts name. artillery runs this file once per worker thread, so the moments below are shared by that thread's users. */
const startedAtMs = Date.now();
const TICK_MS = 5;
/** How long watchers wait, at the end, for what was acknowledged. */
const COMPLETE_TIMEOUT_MS = 15_000;
const FAILURES = ['gaps', 'overlaps', 'lost', 'errors', 'incomplete', 'not_subscribed', 'not_recovered', 'not_acked'];
const SUCCESSES = ['items', 'complete', 'subscribed', 'recovered', 'acked'];
let users = 0;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const sleepUntil = (atMs) => sleep(Math.max(0, atMs - Date.now()));

/** Before the handshake: the encoding's subprotocol, and a token of this user's own. */
export function prepare(wsArgs, context, done) {
  const token = tokenFor(`artillery-${process.pid}-${users++}`);
  wsArgs.subprotocols = [`stentor.v1.${ENCODING}`];
  wsArgs.options = { ...wsArgs.options, ...(token !== undefined && { headers: { Authorization: `Bearer ${token}` } }) };
  context.vars.wsArgs = wsArgs;
  context.vars.askedAtMs = Date.now();
  done();
}

export async function subscribe(context, events) {
  await subscribeTo(context, events, [TOPIC]);
}

/** To some of the watchlist's topics, in one message. */
export async function subscribeToMany(context, events) {
  const first = Math.floor(Math.random() * WATCHLIST.length);
  const topics = Array.from({ length: TOPICS_PER_CLIENT }, (_, place) => WATCHLIST[(first + place) % WATCHLIST.length]);
  await subscribeTo(context, events, topics);
}

async function subscribeTo(context, events, topics) {
  // Named at once, so that a condition on any of them has a number to go by.
  for (const name of [...FAILURES, ...SUCCESSES]) events.emit('counter', `stentor.${name}`, 0);
  const client = new Client(context.ws, events, topics);
  context.vars.client = client;
  await client.subscribe();
  events.emit('histogram', 'stentor.connect_ms', Date.now() - context.vars.askedAtMs);
}

/** Stays until DURATION_S after the start of the test. */
export async function stay(context) {
  await sleepUntil(startedAtMs + DURATION_S * 1000);
  context.vars.client.end();
}

/** The same, and then until everything has come that was acknowledged. */
export async function watch(context) {
  await sleepUntil(startedAtMs + DURATION_S * 1000);
  await context.vars.client.complete(COMPLETE_TIMEOUT_MS);
  context.vars.client.end();
}

/** In the middle of the test all leave at once and come back at once. */
export async function storm(context) {
  if (context.vars.feeds) return;
  await sleepUntil(startedAtMs + (DURATION_S * 1000) / 2);
  const { client, wsArgs } = context.vars;
  context.ws = await client.comeBack(AWAY_S * 1000, wsArgs);
}

let feeding = false;

/** The first user of the thread publishes besides watching, RATE a second until two seconds before the end. */
export async function feed(context, events) {
  await feedInTurn(context, events, [TOPIC]);
}

/** The same, on all topics of the watchlist in turn. */
export async function feedMany(context, events) {
  await feedInTurn(context, events, WATCHLIST);
}

async function feedInTurn(context, events, topics) {
  if (feeding) return;
  feeding = true;
  context.vars.feeds = true;
  // Not awaited: this user goes on with its flow.
  void publishUntil(context.vars.client, events, startedAtMs + (DURATION_S - 2) * 1000, topics);
}

/** A user that only publishes, RATE a second for DURATION_S. */
export async function publish(context, events) {
  await publishUntil(context.vars.client, events, Date.now() + DURATION_S * 1000);
  context.vars.client.end();
}

/** Each publication carries the moment at which it was due: a publisher that is held up shows in the latencies, not in fewer samples. */
async function publishUntil(client, events, endAtMs, topics = [TOPIC]) {
  const beganAtMs = Date.now();
  const from = `${process.pid}-${beganAtMs}-${Math.random().toString(36).slice(2)}`;
  const acks = [];
  for (let n = 0; ; ) {
    const dueAtMs = beganAtMs + (n * 1000) / RATE;
    if (dueAtMs >= endAtMs) break;
    if (dueAtMs <= Date.now()) acks.push(publishOne(client, events, { from, n: n++, dueAtMs }, topics));
    else await sleep(Math.min(TICK_MS, dueAtMs - Date.now()));
  }
  const outcomes = await Promise.all(acks);
  // Who does not answer now is not asked again: without the publisher's end no client is complete.
  if (!outcomes.every(Boolean)) return;
  for (const [place, topic] of topics.entries()) {
    const acked = outcomes.filter((_, n) => n % topics.length === place).length;
    await client.publish(endOf(from, acked), `${from}-end`, topic);
  }
}

/** @returns whether it was acknowledged */
async function publishOne(client, events, { from, n, dueAtMs }, topics) {
  const publication = publicationOf(from, Math.floor(n / topics.length), dueAtMs, PAYLOAD_BYTES);
  const answer = await client.publish(publication, `${from}-${n}`, topics[n % topics.length]);
  const acked = answer.type === 'published';
  events.emit('counter', acked ? 'stentor.acked' : 'stentor.not_acked', 1);
  events.emit('histogram', 'stentor.ack_ms', Date.now() - dueAtMs);
  return acked;
}
