import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTES } from '../../../src/http/api/table.ts';
import { findTool } from '../../support/find-tool.ts';
import { TestNode } from '../../support/node.ts';
import { chosenSeed } from '../../support/seed.ts';

const SCHEMATHESIS = findTool('SCHEMATHESIS', 'schemathesis');
/** A run has this time to begin new requests. */
const RUN_SECONDS = Number(process.env.SCHEMATHESIS_SECONDS ?? 20);
const TOKEN = 'the-operators-token';
const NAMESPACES = {
  scores: { public: true, presence: 'members' },
  ticks: { public: true, state: 'keyed', topicTokens: 2, presence: 'count' },
  brief: { public: true, durable: false },
};
/**
 * All but one: a request that matches its schema may still break a rule that depends on the config, like a key in a topic that is not keyed. Such rules
 * have documented codes, which `status_code_conformance` and `response_schema_conformance` check.
 */
const EXCLUDED = 'positive_data_acceptance';
/** A body that is too large is refused before it is checked. Of many publications, one that does not match the schema is refused in its outcome. */
const SETTINGS = `
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 413]
[[operations]]
include-operation-id = "publishMany"
checks.negative_data_rejection.expected-statuses = [200, 400, 401, 403, 404, 405, 413]
`;

if (SCHEMATHESIS === undefined)
  process.stderr.write('no schemathesis: set $SCHEMATHESIS; the HTTP API is not driven by its OpenAPI document\n');

describe.skipIf(SCHEMATHESIS === undefined)('schemathesis', () => {
  let node: TestNode;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'stentor-schemathesis-'));
    writeFileSync(join(folder, 'schemathesis.toml'), SETTINGS);
    node = await TestNode.start({ namespaces: NAMESPACES, 'admin.token': TOKEN, 'auth.revocations': 'accept', 'log.level': 'warn' });
    const client = await node.connect();
    for (const topic of ['scores.a', 'ticks.fx', 'brief.a']) await client.subscribe(topic);
    for (let i = 0; i < 20; i++) await node.publish('scores.a', { i });
  });
  afterAll(async () => {
    await node?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it(
    'finds no server error and no answer that the OpenAPI document does not have',
    async () => {
      const url = `http://127.0.0.1:${node.running.adminPort}`;
      const args = ['run', `${url}/openapi.json`, '--url', url, '--header', `Authorization: Bearer ${TOKEN}`, '--checks', 'all'];
      args.push(
        '--exclude-checks',
        EXCLUDED,
        '--max-time',
        String(RUN_SECONDS),
        '--seed',
        String(chosenSeed()),
        '--no-color',
        '--continue-on-failure',
      );
      args.push('--generation-database', 'none', '--request-timeout', '10');
      const child = spawn(SCHEMATHESIS as string, args, { cwd: folder });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output = (output + chunk).slice(-200_000)));
      const [code] = await once(child, 'close');
      if (code !== 0 || process.env.SCHEMATHESIS_SECONDS !== undefined) process.stderr.write(output);
      expect(code, output).toBe(0);
      expect(output).toContain(`Tested: ${ROUTES.length}`);
      expect(node.log.filter((line) => line.includes('an admin request failed'))).toEqual([]);
    },
    (RUN_SECONDS + 120) * 1000,
  );
});
