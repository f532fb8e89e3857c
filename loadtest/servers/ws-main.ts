import { type WebSocket, WebSocketServer } from 'ws';
import type { FeedPlan } from '../core/feed.ts';
import { runFeed } from '../core/feeder.ts';
import { serveCalls } from '../core/rpc.ts';
import type { Listening } from './server.ts';

/** `ws` as its documentation broadcasts: a set of clients, and one send() each. */
const topics = new Map<string, Set<WebSocket>>();
const server = new WebSocketServer({ host: '0.0.0.0', port: 0, perMessageDeflate: false });

server.on('connection', (socket) => {
  socket.on('message', (message) => {
    const topic = String(message).slice('sub '.length);
    const members = topics.get(topic) ?? new Set();
    topics.set(topic, members.add(socket));
    socket.on('close', () => members.delete(socket));
    socket.send('ok');
  });
});

function publish(topic: string, payload: Buffer): void {
  for (const socket of topics.get(topic) ?? []) socket.send(payload, { binary: false });
}

serveCalls({
  start: (): Listening => ({ port: (server.address() as { port: number }).port }),
  feed: (plan: FeedPlan) => runFeed(plan, publish),
});
