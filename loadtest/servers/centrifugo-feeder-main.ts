import { Agent, request } from 'node:http';
import type { FeedPlan } from '../core/feed.ts';
import { runFeed } from '../core/feeder.ts';
import { serveCalls } from '../core/rpc.ts';

/** Publishes through Centrifugo's HTTP API, all that is due in one batch request, one request at a time so that order holds. */
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function post(port: number, apiKey: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), 'X-API-Key': apiKey };
    const call = request({ host: '127.0.0.1', port, path: '/api/batch', method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.once('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`Centrifugo answered ${response.statusCode}`)),
      );
    });
    call.once('error', reject);
    call.end(body);
  });
}

function feed({ plan, port, apiKey }: { plan: FeedPlan; port: number; apiKey: string }) {
  let due: string[] = [];
  return runFeed(
    plan,
    (topic, payload) => void due.push(`{"publish":{"channel":${JSON.stringify(topic)},"data":${payload.toString('latin1')}}}`),
    async () => {
      if (due.length === 0) return;
      const body = `{"commands":[${due.join(',')}]}`;
      due = [];
      await post(port, apiKey, body);
    },
  );
}

serveCalls({ feed }, () => agent.destroy());
