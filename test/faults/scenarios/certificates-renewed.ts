import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyFiles, makeCertificates } from '../../support/certificates.ts';
import { tlsHandshake } from '../../support/tls-handshake.ts';
import { until } from '../../support/until.ts';
import { lastOffsetsOf, NAMESPACE, topicsOf } from '../fault-run.ts';
import { lifeOf } from '../ledger.ts';
import type { Scenario } from '../scenario.ts';
import { secureSockets } from '../secure-sockets.ts';
import { readStore } from '../store.ts';
import { monoMs, seconds } from '../time.ts';

const WORKERS = 2;
const CHECK_INTERVAL_MS = 200;
const REACH_TIMEOUT_MS = 30_000;

export const certificatesRenewed: Scenario = {
  number: 26,
  title: 'the certificates of a node are renewed twice under clients of the SDK, and broken once in between',
  pass: 'no connection ends without closing; 0 lost or duplicate; broken files change nothing',
  size: { clients: 1000, ratePerSecond: 20, topics: 2, quick: false },
  timeoutMs: 240_000,
  async execute(run, size) {
    const folder = mkdtempSync(join(tmpdir(), 'stentor-renewed-'));
    run.onEnd(() => rmSync(folder, { recursive: true, force: true }));
    const certs = makeCertificates(folder);
    const files = new KeyFiles(folder, certs.server);
    const nats = await run.nats();
    const urls = [nats.url];
    const topics = topicsOf(size.topics);
    const settings = {
      workers: WORKERS,
      'tls.certFile': files.certFile,
      'tls.keyFile': files.keyFile,
      'tuning.connections.certificateCheckIntervalMs': CHECK_INTERVAL_MS,
    };
    const node = await run.node(urls, { settings });
    const feed = await run.feed({ urls, topics, ratePerSecond: size.ratePerSecond });
    const sockets = secureSockets(readFileSync(certs.ca));
    const sdk = await run.sdkClients(size.clients, topics, sockets.WebSocket);
    feed.start();
    await seconds(size.quick ? 1 : 3);
    run.expect(sockets.closedWithClosing + sockets.closedWithout === 0, 'connections ended before anything was renewed');

    const presents = async (name: string) => (await tlsHandshake(node.port, { rejectUnauthorized: false })).certificate.subject.CN === name;
    const renew = async (name: string) => {
      const before = await node.metric('stentor_tls_renewals_total', { result: 'used' });
      const startedAtMs = monoMs();
      files.put(certs.sign(name, { altNames: 'IP:127.0.0.1,DNS:localhost', days: 30 }));
      await until(
        'the certificates to be used',
        async () => (await node.metric('stentor_tls_renewals_total', { result: 'used' })) > before,
      );
      run.figure('renewalMs', monoMs() - startedAtMs);
      run.expect(await presents(name), `the node does not present ${name}`);
      const behind = await sdk.reach(await feed.nextOnEachTopic(), REACH_TIMEOUT_MS);
      run.expect(behind === 0, `${behind} clients are not live after ${name}`);
    };
    await renew('first');
    run.expect(sockets.closedWithClosing >= size.clients, `only ${sockets.closedWithClosing} connections were closed, of ${size.clients}`);

    const closes = sockets.closedWithClosing;
    writeFileSync(files.certFile, 'rubbish');
    await until('rubbish to be refused', async () => (await node.metric('stentor_tls_renewals_total', { result: 'refused' })) === 1);
    await seconds(size.quick ? 0.5 : 2);
    run.expect(sockets.closedWithClosing === closes && (await presents('first')), 'rubbish changed something');

    await renew('second');
    run.none({ closedWithoutClosing: sockets.closedWithout });
    run.figure('closedWithClosing', sockets.closedWithClosing);
    run.figure('connectsFailed', sockets.failed);

    await feed.stop();
    const stored = await readStore(urls, NAMESPACE);
    const behind = await sdk.reach(lastOffsetsOf(feed.acknowledged), REACH_TIMEOUT_MS);
    run.expect(behind === 0, `${behind} clients never got the last publications`);
    const { lost, duplicates, reordered, gaps, foreign, declarations } = sdk.check([lifeOf(sdk.epoch, stored)]);
    run.none({ lost, duplicates, reordered, gaps, foreign, declarations });
    run.figure('published', stored.length);
  },
};
