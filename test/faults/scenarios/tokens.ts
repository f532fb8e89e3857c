import { KeySetServer, type SigningPair, signingPair } from '../../support/key-set-server.ts';
import { ADMIN_TOKEN } from '../../support/node-process.ts';
import { Refused, TestClient } from '../../support/test-client.ts';
import type { FaultRun } from '../fault-run.ts';
import type { RestartableNode } from '../restartable-node.ts';
import { RevokedProcess } from '../revoked-process.ts';
import type { Scenario } from '../scenario.ts';
import { seconds } from '../time.ts';

const LIFE_SECONDS = 6;
const LATER_SECONDS = 600;
/** After the end of the token and the tolerance of clocks. */
const CLOSED_MAX_MS = 5000;
const REVOKED_MAX_MS = 1000;
const TOPIC = 'scores.t0';
const COOLDOWN_MS = 1000;

export const tokens: Scenario = {
  number: 14,
  title: 'tokens expire, are refreshed with a rotated key, are revoked; then the server of the keys is dead',
  pass: `who refreshes gets everything; others are closed within ${CLOSED_MAX_MS / 1000} s; known keys go on`,
  size: { clients: 300, ratePerSecond: 100, topics: 1, quick: false },
  timeoutMs: 120_000,
  async execute(run, size) {
    const [old, fresh] = await Promise.all([signingPair('EdDSA', 'old'), signingPair('EdDSA', 'fresh')]);
    const keys = await KeySetServer.start(old.jwk);
    run.onEnd(() => keys.stop());
    const nats = await run.nats();
    const node = await run.node([nats.url], {
      settings: {
        'auth.keys': [],
        'auth.jwksUrl': keys.url,
        'tuning.auth.jwksCooldownMs': COOLDOWN_MS,
        'auth.clockToleranceMs': 0,
        'auth.revocations': 'accept',
      },
    });
    const feed = await run.feed({ urls: [nats.url], topics: [TOPIC], ratePerSecond: size.ratePerSecond });
    const expiresAtMs = Date.now() + LIFE_SECONDS * 1000;
    const holders = await Promise.all(Array.from({ length: size.clients }, (_, i) => Holder.connect(run, node, old, i, expiresAtMs)));
    feed.start();
    await seconds(1);
    // The new key is published, and half of the clients get tokens of it.
    keys.keys = [fresh.jwk];
    const refreshing = holders.filter((_, i) => i % 2 === 0);
    const others = holders.filter((_, i) => i % 2 === 1);
    await Promise.all(refreshing.map((holder) => holder.refresh(fresh)));
    await Promise.all(others.map((holder) => holder.client.closed));
    const lateMs = others.map(({ closedAtMs }) => closedAtMs - expiresAtMs);
    run.limitMs('closedLatestMs', Math.max(...lateMs), CLOSED_MAX_MS);
    run.expect(Math.min(...lateMs) >= -1000, `a connection was closed ${-Math.min(...lateMs)} ms before its token ended`);
    run.expect(
      others.every(({ code }) => code === 4201),
      `closed with ${[...new Set(others.map(({ code }) => code))]}`,
    );
    await revoke(run, node, refreshing.pop() as Holder, fresh);
    await keys.stop();
    await withDeadServer(run, node, old, fresh);
    await feed.stop();
    const last = feed.lastOffsets[TOPIC] ?? 0;
    await Promise.all(refreshing.map(({ client }) => client.until('the last publication', () => client.track(TOPIC).last >= last)));
    const sum = (of: (holder: Holder) => number) => refreshing.reduce((total, holder) => total + of(holder), 0);
    run.none({
      gaps: sum(({ client }) => client.track(TOPIC).gaps),
      duplicates: sum(({ client }) => client.track(TOPIC).duplicates),
      missing: sum(({ client, from }) => feed.acknowledged.filter(({ offset }) => offset > from).length - client.track(TOPIC).items.length),
    });
    run.figure('refreshed', refreshing.length);
    run.figure('keySetFetches', keys.fetches);
  },
};

async function revoke(run: FaultRun, node: RestartableNode, { client, user }: Holder, pair: SigningPair): Promise<void> {
  const token = await pair.token({ sub: user, exp: Date.now() / 1000 + LATER_SECONDS });
  const another = new RevokedProcess();
  run.onEnd(() => another.stop());
  await another.connect({ port: node.port, token, topic: TOPIC });
  const body = { user, issuedBeforeMs: Date.now() + 2000 };
  const { closedAfterMs, code } = await another.revoke({ adminPort: node.adminPort, adminToken: ADMIN_TOKEN, body });
  run.limitMs('revokedMs', closedAfterMs, REVOKED_MAX_MS);
  const codes = [code, (await client.closed).code];
  run.expect(
    codes.every((one) => one === 4011),
    `a revoked token was closed with ${codes}`,
  );
  const again = await answered(node, token);
  run.expect(again === 'token_revoked', `a revoked token was answered with ${again}`);
}

/** Keys that are known are still good; tokens of unknown ones are not refused for ever, but cannot be verified now. */
async function withDeadServer(run: FaultRun, node: RestartableNode, old: SigningPair, fresh: SigningPair): Promise<void> {
  await seconds((2 * COOLDOWN_MS) / 1000);
  const unknown = await signingPair('EdDSA', 'unknown');
  const exp = Date.now() / 1000 + LATER_SECONDS;
  const known = await answered(node, await fresh.token({ sub: 'late', exp }));
  run.expect(known === 'connected', `with the key server dead, a token of a known key was answered with ${known}`);
  const removed = await answered(node, await old.token({ sub: 'late', exp }));
  run.expect(['unavailable', 'unauthorized'].includes(removed), `a token of a removed key was answered with ${removed}`);
  const strange = await answered(node, await unknown.token({ sub: 'late', exp }));
  run.expect(strange === 'unavailable', `a token of an unknown key was answered with ${strange}`);
  run.say(`key server dead: known key ${known}, removed key ${removed}, unknown key ${strange}`);
}

/** What a client with this token is told first. */
async function answered(node: RestartableNode, token: string): Promise<string> {
  try {
    const client = await TestClient.connect(node.url, { encoding: 'json', token });
    await client.until('an answer', () => client.messages.length > 0);
    const [first] = client.messages as unknown as [{ type: string; code?: string }];
    await client.close();
    return first.code ?? first.type;
  } catch (error) {
    return error instanceof Refused ? String(error.status) : String(error);
  }
}

/** A client with a token, and when and how it was closed. */
class Holder {
  readonly client: TestClient;
  readonly user: string;
  /** Where its stream began. */
  from = 0;
  closedAtMs = 0;
  code = 0;

  private constructor(client: TestClient, user: string) {
    this.client = client;
    this.user = user;
    client.track(TOPIC);
    void client.closed.then(({ code }) => {
      this.closedAtMs = Date.now();
      this.code = code;
    });
  }

  static async connect(run: FaultRun, node: RestartableNode, pair: SigningPair, i: number, expiresAtMs: number): Promise<Holder> {
    const user = `u${i}`;
    const token = await pair.token({ sub: user, iat: Math.floor(Date.now() / 1000), exp: expiresAtMs / 1000 });
    const client = await TestClient.connect(node.url, { encoding: i % 4 < 2 ? 'json' : 'msgpack', token });
    run.onEnd(() => client.close());
    const holder = new Holder(client, user);
    holder.from = (await client.subscribe(TOPIC)).offset;
    return holder;
  }

  async refresh(pair: SigningPair): Promise<void> {
    const now = Date.now() / 1000;
    await this.client.get('refreshed', {
      type: 'refresh',
      token: await pair.token({ sub: this.user, iat: Math.floor(now), exp: now + LATER_SECONDS }),
    });
  }
}
