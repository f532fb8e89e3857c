import type { FeedPlan } from '../core/feed.ts';
import { runFeed } from '../core/feeder.ts';
import { serveCalls } from '../core/rpc.ts';
import type { Listening } from './server.ts';
import { startUwsApp } from './uws-app.ts';

/** Bare uWebSockets.js that publishes by itself, on the plan's schedule: no cost of getting the publications from anywhere. */
const { app, port } = await startUwsApp();

serveCalls({
  start: (): Listening => ({ port }),
  feed: (plan: FeedPlan) => runFeed(plan, (topic, payload) => app.publish(topic, payload, false)),
});
