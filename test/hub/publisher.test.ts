import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { BusError } from '../../src/bus/bus-error.ts';
import type { PublishAck, PublishRequest } from '../../src/bus/publication.ts';
import { loadConfig } from '../../src/config/load.ts';
import { HubMetrics } from '../../src/hub/hub-metrics.ts';
import { Publisher } from '../../src/hub/publisher.ts';
import { packMsgpack } from '../../src/protocol/msgpack-codec.ts';
import { parseTopic } from '../../src/protocol/topic.ts';
import { createLogger } from '../../src/telemetry/log.ts';

const ACK: PublishAck = { epoch: 'e', offset: 1, duplicate: false };
const draft = { topic: parseTopic('plain.a'), key: null, data: packMsgpack({ n: 1 }) };

/** A publisher over a bus that answers when the test says so. */
function publisherWith(settings: Readonly<Record<string, unknown>> = {}) {
  const { config } = loadConfig({
    env: {},
    flags: { namespaces: { plain: {}, keyed: { state: 'keyed' } }, 'log.level': 'silent', ...settings },
  });
  const sent: { request: PublishRequest; resolve: (ack: PublishAck) => void; reject: (error: Error) => void }[] = [];
  const bus = {
    publish: (request: PublishRequest) => new Promise<PublishAck>((resolve, reject) => sent.push({ request, resolve, reject })),
  };
  const metrics = new HubMetrics(new Registry(), createLogger(config.log));
  const inFlight = async () => (await metrics.publishesInFlight.get()).values[0]?.value;
  return { publisher: new Publisher(config, bus, metrics), sent, inFlight };
}

describe('Publisher', () => {
  it('hands the bus the payload as the namespace’s producers write it', async () => {
    const { publisher, sent } = publisherWith();
    const published = publisher.publish(draft, { messageId: 'm' });
    expect(sent[0]?.request).toMatchObject({ topic: 'plain.a', key: null, payloadKind: 'json', messageId: 'm' });
    expect(Buffer.from(sent[0]?.request.payload ?? []).toString()).toBe('{"n":1}');
    sent[0]?.resolve(ACK);
    expect(await published).toBe(ACK);
  });

  it('passes nothing to the bus that the rules refuse', async () => {
    const { publisher, sent } = publisherWith({ namespaces: { plain: { maxPayloadBytes: 3 }, keyed: { state: 'keyed' } } });
    await expect(publisher.publish({ ...draft, topic: parseTopic('nowhere.a') })).rejects.toMatchObject({ code: 'unknown_namespace' });
    await expect(publisher.publish({ ...draft, topic: parseTopic('keyed.a') })).rejects.toMatchObject({ code: 'key_required' });
    await expect(publisher.publish(draft)).rejects.toMatchObject({ code: 'message_too_big' });
    expect(sent).toEqual([]);
  });

  it('is busy past publishesInFlightMax, until one is answered or has failed', async () => {
    const { publisher, sent, inFlight } = publisherWith({
      'tuning.commands.publishesInFlightMax': 2,
      'tuning.commands.publishesPerConnectionMax': 1,
    });
    const [first, second] = [publisher.publish(draft), publisher.publish(draft)];
    await expect(publisher.publish(draft)).rejects.toMatchObject({ code: 'busy' });
    expect(await inFlight()).toBe(2);
    sent[0]?.resolve(ACK);
    sent[1]?.reject(new BusError('publish_timeout', 'no answer'));
    await first;
    await expect(second).rejects.toMatchObject({ code: 'publish_timeout' });
    expect(await inFlight()).toBe(0);
    void publisher.publish(draft);
    expect(sent).toHaveLength(3);
  });

  it('frees the place of what it refuses', async () => {
    const { publisher, inFlight } = publisherWith({
      'tuning.commands.publishesInFlightMax': 1,
      'tuning.commands.publishesPerConnectionMax': 1,
      namespaces: { plain: { maxPayloadBytes: 3 } },
    });
    for (let i = 0; i < 3; i++) await expect(publisher.publish(draft)).rejects.toMatchObject({ code: 'message_too_big' });
    expect(await inFlight()).toBe(0);
  });
});
