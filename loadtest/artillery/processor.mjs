import { Client } from './client.mjs';
import { AWAY_S, DURATION_S, ENCODING, PAYLOAD_BYTES, RATE, tokenFor } from './settings.mjs';

/** Functions that the scripts name. artillery runs this file once per worker thread, so the moments below are shared by that thread's users. */
const startedAtMs = Date.now();
const TICK_MS = 5;
/** About what `{"n":…,"sentAtMs":…,"pad":""}` takes. */
const PAD = 'x'.repeat(Math.max(0, PAYLOAD_BYTES - 45));
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
  // Named at once, so that a condition on them holds for a run in which nothing went wrong.
  for (const name of ['gaps', 'lost', 'not_subscribed', 'not_recovered', 'not_acked']) events.emit('counter', `stentor.${name}`, 0);
  const client = new Client(context.ws, events);
  context.vars.client = client;
  await client.subscribe();
  events.emit('histogram', 'stentor.connect_ms', Date.now() - context.vars.askedAtMs);
}

/** Watches until DURATION_S after the start of the test. */
export async function watch(context) {
  await sleepUntil(startedAtMs + DURATION_S * 1000);
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
  if (feeding) return;
  feeding = true;
  context.vars.feeds = true;
  // Not awaited: this user goes on with its flow.
  void publishUntil(context.vars.client, events, startedAtMs + (DURATION_S - 2) * 1000);
}

/** A user that only publishes, RATE a second for DURATION_S. */
export async function publish(context, events) {
  await publishUntil(context.vars.client, events, Date.now() + DURATION_S * 1000);
  context.vars.client.end();
}

/** Each publication carries the moment at which it was due: a publisher that is held up shows in the latencies, not in fewer samples. */
async function publishUntil(client, events, endAtMs) {
  const beganAtMs = Date.now();
  const key = `${process.pid}-${beganAtMs}-${Math.random().toString(36).slice(2)}`;
  const acks = [];
  for (let n = 0; ; ) {
    const dueAtMs = beganAtMs + (n * 1000) / RATE;
    if (dueAtMs >= endAtMs) break;
    if (dueAtMs <= Date.now()) acks.push(publishOne(client, events, dueAtMs, n, `${key}-${n++}`));
    else await sleep(Math.min(TICK_MS, dueAtMs - Date.now()));
  }
  await Promise.all(acks);
}

async function publishOne(client, events, sentAtMs, n, key) {
  const answer = await client.publish({ n, sentAtMs, pad: PAD }, key);
  events.emit('counter', answer.type === 'published' ? 'stentor.acked' : 'stentor.not_acked', 1);
  events.emit('histogram', 'stentor.ack_ms', Date.now() - sentAtMs);
}
