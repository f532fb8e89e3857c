import { headers, type NatsConnection, connect as natsConnect } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import { createBus } from '../../src/bus/create-bus.ts';
import { parseTopic } from '../../src/protocol/topic.ts';
import { type NatsServer, startNatsServer } from '../support/nats-server.ts';
import { Inbox } from '../support/publications.ts';
import { until } from '../support/until.ts';
import { busConfig } from './nats-config.ts';

const NAMESPACES = {
  ticks: { state: 'keyed', topicTokens: 2 },
  scores: {},
  live: { durable: false, state: 'keyed', topicTokens: 2 },
  loose: { durable: false },
};

let server: NatsServer;
let producer: NatsConnection;
let bus: Bus;
let notices: string[];

beforeAll(async () => {
  server = await startNatsServer();
  producer = await natsConnect({ servers: server.url });
});
afterEach(() => bus.stop());
afterAll(async () => {
  await producer.close();
  await server.stop();
});

let started = 0;

/** A bus with namespaces of its own, since a log outlives its bus. @returns how a test's names are named in it */
async function start(settings: Readonly<Record<string, unknown>> = {}): Promise<(text: string) => string> {
  const number = ++started;
  const named = (text: string) => text.replaceAll(/ticks|scores|live|loose/g, (name) => `${name}${number}`);
  const namespaces = Object.fromEntries(Object.entries(NAMESPACES).map(([name, options]) => [named(name), options]));
  notices = [];
  bus = await createBus(busConfig(server.url, { namespaces, 'tuning.nats.subjectCheckIntervalMs': 20, ...settings }), {
    onNotice: ({ message }) => void notices.push(message),
  });
  await bus.start();
  return named;
}

const counts = () => Object.fromEntries([...bus.faults()].map(({ namespace, fault, messages }) => [`${namespace} ${fault}`, messages]));
const notBroadcast = () => notices.filter((notice) => notice.startsWith('not broadcast'));

describe('a producer’s wrong subject', () => {
  it.each([
    ['a key with a dot', 'feed.ticks.fx.BRK.B', 'wrong_depth'],
    ['a forgotten key', 'feed.ticks.fx', 'wrong_depth'],
    ['a forgotten topic and key', 'feed.ticks', 'wrong_depth'],
    ['a key with a slash', 'feed.ticks.fx.BTC/USDT', 'bad_token'],
    ['a key with an equals sign', 'feed.ticks.fx.EUR=X', 'bad_token'],
    ['a token outside ASCII', 'feed.scores.grün', 'bad_token'],
    ['a topic of nine tokens', 'feed.scores.1.2.3.4.5.6.7.8', 'wrong_depth'],
  ])('is counted and logged even if no node follows the log: %s', async (_what, subject, fault) => {
    const named = await start();
    const [, namespace = ''] = subject.split('.');
    for (let n = 0; n < 3; n++) producer.publish(named(subject), '1');
    producer.publish(named('feed.ticks.fx.AAPL'), 'good');
    producer.publish(named('feed.scores.a'), 'good');
    await until('the look', () => counts()[`${named(namespace)} ${fault}`] === 3);
    expect(counts()).toEqual({ [`${named(namespace)} ${fault}`]: 3 });
    expect(notBroadcast()).toEqual([expect.stringContaining(`"${named(subject)}"`)]);
  });

  it.each(['feed.live.a', 'feed.live', 'feed.live.a.BRK.B', 'feed.loose.1.2.3.4.5.6.7.8'])(
    'is counted immediately in an ephemeral namespace without listeners: %s',
    async (subject) => {
      const named = await start();
      const [, namespace = ''] = named(subject).split('.');
      await producer.flush();
      producer.publish(named('feed.live.a.BRK=2EB'), 'good');
      producer.publish(named(subject), '1');
      producer.publish(named(subject), '1');
      await until('both', () => counts()[`${namespace} wrong_depth`] === 2);
      expect(notBroadcast()).toHaveLength(1);
    },
  );

  it('is counted once, although both a check and a follower find it, and although it is read again', async () => {
    const named = await start();
    const name = `${named('ticks')} wrong_depth`;
    producer.publish(named('feed.ticks.fx.BRK.A'), '1');
    await until('the look', () => counts()[name] === 1);
    const log = bus.log(named('ticks'));
    const inbox = new Inbox();
    const follower = await log.follow(0, inbox.receive, inbox.fail);
    producer.publish(named('feed.ticks.fx.BRK.B'), '1');
    producer.publish(named('feed.ticks.fx.BRK=2EB'), 'good');
    await inbox.count(1);
    expect(inbox.publications[0]).toMatchObject({ topic: named('ticks.fx'), key: 'BRK.B' });
    expect(counts()[name]).toBe(2);
    await follower.stop();
    await log.snapshot(parseTopic(named('ticks.fx')));
    producer.publish(named('feed.ticks.fx.BRK.C'), '1');
    producer.publish(named('feed.ticks.fx.BTC/USDT'), '1');
    await until('the next look', () => counts()[`${named('ticks')} bad_token`] === 1);
    expect(counts()[name]).toBe(3);
  });

  it('is logged once for each pattern', async () => {
    const named = await start();
    for (const subject of [
      'feed.ticks.fx.BRK.A',
      'feed.ticks.fx.BRK.B',
      'feed.ticks.us.BRK.A',
      'feed.ticks.fx',
      'feed.ticks.fx.A/B',
      'feed.ticks.fx.C/D',
    ]) {
      producer.publish(named(subject), '1');
    }
    await until('all', () => counts()[`${named('ticks')} bad_token`] === 2 && counts()[`${named('ticks')} wrong_depth`] === 4);
    expect(notBroadcast()).toHaveLength(3);
    expect(notBroadcast()[0]).toContain('topics of 2 tokens');
  });

  it('is logged for 256 patterns; one more line says that the next are only counted', async () => {
    const named = await start();
    for (let n = 0; n < 300; n++) producer.publish(named(`feed.ticks.t${n}.A/B`), '1');
    await until('all', () => counts()[`${named('ticks')} bad_token`] === 300);
    expect(notBroadcast()).toHaveLength(256);
    expect(notices.filter((notice) => notice.includes('only counted'))).toHaveLength(1);
  });

  it('is found by its depth only in a stream with more subjects than tuning.nats.subjectCheckMax, which is said once', async () => {
    const named = await start({ 'tuning.nats.subjectCheckMax': 2 });
    for (const key of ['A', 'B', 'C/D', 'E.F']) producer.publish(named(`feed.ticks.fx.${key}`), '1');
    producer.publish(named('feed.scores.a/b'), '1');
    await until(
      'the look',
      () => counts()[`${named('scores')} bad_token`] === 1 && notices.some((notice) => notice.includes('subjectCheckMax')),
    );
    await until('the depth', () => counts()[`${named('ticks')} wrong_depth`] === 1);
    expect(counts()).toEqual({ [`${named('scores')} bad_token`]: 1, [`${named('ticks')} wrong_depth`]: 1 });
    expect(notices.filter((notice) => notice.includes('subjectCheckMax'))).toHaveLength(1);
  });
});

describe('a Stentor-Key header', () => {
  const withKey = (value: string, name = 'Stentor-Key') => {
    const all = headers();
    all.append(name, value);
    return { headers: all };
  };

  it('may repeat the key of the subject, in any case; another key is refused, logged and counted', async () => {
    const named = await start();
    const inbox = new Inbox();
    await bus.log(named('ticks')).follow(0, inbox.receive, inbox.fail);
    producer.publish(named('feed.ticks.fx.BTC=2FUSDT'), 'right', withKey('BTC/USDT'));
    producer.publish(named('feed.ticks.fx.=E2=98=83'), 'not ASCII', withKey('☃', 'stentor-key'));
    producer.publish(named('feed.ticks.fx.=20a=20'), 'spaces around', withKey(' a '));
    producer.publish(named('feed.ticks.fx.BTC=2FUSDT'), 'wrong', withKey('BTC/USD'));
    producer.publish(named('feed.ticks.fx.AAPL'), 'empty', withKey(''));
    producer.publish(named('feed.ticks.fx.AAPL'), 'last');
    await inbox.count(4);
    expect(inbox.texts).toEqual(['right', 'not ASCII', 'spaces around', 'last']);
    expect(inbox.publications.map(({ key }) => key)).toEqual(['BTC/USDT', '☃', ' a ', 'AAPL']);
    expect(counts()).toEqual({ [`${named('ticks')} key_mismatch`]: 2 });
    expect(notBroadcast()).toEqual([expect.stringContaining('Stentor-Key')]);
  });

  it('is refused in a namespace without keys, and in a keyed ephemeral one if it differs', async () => {
    const named = await start();
    const inbox = new Inbox();
    await bus.log(named('scores')).follow(0, inbox.receive, inbox.fail);
    await bus.listen(parseTopic(named('live.a')), inbox).live;
    producer.publish(named('feed.scores.a'), 'keyed', withKey('a'));
    producer.publish(named('feed.live.a.b'), 'wrong', withKey('c'));
    producer.publish(named('feed.live.a.b'), 'right', withKey('b'));
    await inbox.count(1);
    await until('the follower', () => counts()[`${named('scores')} key_mismatch`] === 1);
    expect(inbox.texts).toEqual(['right']);
    expect(counts()).toEqual({ [`${named('scores')} key_mismatch`]: 1, [`${named('live')} key_mismatch`]: 1 });
  });
});
