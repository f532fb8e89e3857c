import { createServer } from 'node:http';
import { Server } from 'socket.io';
import type { FeedPlan } from '../core/feed.ts';
import { runFeed } from '../core/feeder.ts';
import { serveCalls } from '../core/rpc.ts';
import type { Listening } from './server.ts';

/** Socket.IO at its best for this: WebSocket only, no compression, a room, which encodes a broadcast once. */
const http = createServer();
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false, serveClient: false });

io.on('connection', (socket) => {
  socket.on('sub', (topic: string) => {
    socket.join(topic);
    socket.emit('ok');
  });
});

await new Promise<void>((resolve) => http.listen(0, '0.0.0.0', resolve));

serveCalls({
  start: (): Listening => ({ port: (http.address() as { port: number }).port }),
  feed: (plan: FeedPlan) => runFeed(plan, (topic, payload) => io.to(topic).emit('m', JSON.parse(payload.toString('latin1')))),
});
