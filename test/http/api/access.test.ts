import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { ApiTokens } from '../../../src/http/api/access.ts';
import type { Refusal } from '../../../src/http/api/schemas/refusal.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { TestNode } from '../../support/node.ts';

const [FIRST, SECOND, READER] = ['first-token-of-publishers', 'second-token-of-publishers', 'token-of-prometheus'];
const LIST = [
  { token: FIRST, scopes: ['publish'] },
  { token: READER, scopes: ['read'] },
];

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stentor-tokens-'));
  file = join(folder, 'token');
  writeFileSync(file, `${SECOND}\n`);
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the tokens of the HTTP API', () => {
  const log: string[] = [];
  let nowMs = 0;
  const tokens = (flags: Record<string, unknown>) => {
    const { config } = loadConfig({ env: {}, flags });
    const logger = createLogger(config.log, { write: (line) => void log.push(line) });
    return new ApiTokens({ admin: config.admin, logger, nowMs: () => nowMs });
  };

  it('are several at the same time, each with its scopes; admin.token has all', () => {
    const several = tokens({ 'admin.token': 'root', 'admin.tokens': [...LIST, { token: READER, scopes: ['admin'] }] });
    expect(several.isOpen).toBe(false);
    expect(several.grantOf('Bearer root')?.scopes).toEqual(['publish', 'read', 'admin']);
    expect(several.grantOf(`Bearer ${FIRST}`)?.scopes).toEqual(['publish']);
    expect(several.grantOf(`bearer  ${READER}`)?.scopes).toEqual(['read', 'admin']);
    for (const none of [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      `Basic ${FIRST}`,
      FIRST,
      `Bearer ${FIRST}x`,
      `Bearer ${FIRST} x`,
      'Bearer rootroot',
    ]) {
      expect(several.grantOf(none)?.scopes).toBeUndefined();
    }
    expect(tokens({}).isOpen).toBe(true);
    expect(tokens({}).grantOf('Bearer ')?.scopes).toBeUndefined();
  });

  it('are read again from their files, and stay valid while a file cannot be used', () => {
    const fromFile = tokens({ 'admin.tokens': [{ tokenFile: file, scopes: ['publish'] }] });
    expect(fromFile.grantOf(`Bearer ${SECOND}`)?.scopes).toEqual(['publish']);
    writeFileSync(file, 'replaced-by-another-token');
    expect(fromFile.grantOf(`Bearer ${SECOND}`)?.scopes).toEqual(['publish']);
    nowMs += 1000;
    expect(fromFile.grantOf(`Bearer ${SECOND}`)?.scopes).toBeUndefined();
    expect(fromFile.grantOf('Bearer replaced-by-another-token')?.scopes).toEqual(['publish']);
    rmSync(file);
    for (let reads = 0; reads < 3; reads++) {
      nowMs += 1000;
      expect(fromFile.grantOf('Bearer replaced-by-another-token')?.scopes).toEqual(['publish']);
    }
    expect(log.filter((line) => line.includes('its last token stays valid'))).toHaveLength(1);
  });

  it('are refused in the config when they are short, incomplete, or in a file that cannot be used', () => {
    const refused = (token: object) => () => loadConfig({ env: {}, flags: { 'admin.tokens': [token] } });
    expect(refused({ token: 'short', scopes: ['read'] })).toThrow(/admin\.tokens\[0\]\.token.*at least 16/);
    expect(refused({ token: FIRST, scopes: [] })).toThrow(/scopes/);
    expect(refused({ token: FIRST, scopes: ['write'] })).toThrow(/scopes/);
    expect(refused({ scopes: ['read'] })).toThrow(/either `token` or `tokenFile`/);
    expect(refused({ token: FIRST, tokenFile: file, scopes: ['read'] })).toThrow(/either `token` or `tokenFile`/);
    expect(refused({ tokenFile: join(folder, 'none'), scopes: ['read'] })).toThrow(/no such file/);
    writeFileSync(file, 'short');
    expect(refused({ tokenFile: file, scopes: ['read'] })).toThrow(/fewer than 16/);
    expect(refused({ tokenFile: folder, scopes: ['read'] })).toThrow(/it is a folder/);
    writeFileSync(file, 'x'.repeat(5000));
    expect(refused({ tokenFile: file, scopes: ['read'] })).toThrow(/it has 5000 bytes/);
    expect(() => loadConfig({ env: {}, flags: { 'admin.host': '0.0.0.0', 'admin.tokens': LIST } })).not.toThrow();
  });
});

describe('a request', () => {
  let node: TestNode;
  beforeEach(async () => {
    node = await TestNode.start({ 'admin.tokens': [...LIST, { tokenFile: file, scopes: ['admin'] }] });
  });
  afterEach(() => node.stop());
  const ask = async (path: string, token: string, body?: object) => {
    const headers = { Authorization: `Bearer ${token}` };
    const init = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
    const answer = await fetch(`http://127.0.0.1:${node.running.adminPort}${path}`, init);
    const { error } = path === '/metrics' ? {} : ((await answer.json()) as Partial<Refusal>);
    return [answer.status, error?.code];
  };

  it('is answered as far as its token has the scope', async () => {
    const publication = { topic: 'scores.a', data: 1 };
    expect(await ask('/api/publish', FIRST, publication)).toEqual([200, undefined]);
    expect(await ask('/api/publish', READER, publication)).toEqual([403, 'forbidden']);
    expect(await ask('/api/publish', 'unknown-to-this-node', publication)).toEqual([401, 'unauthorized']);
    expect(await ask('/api/history?topic=scores.a', READER)).toEqual([200, undefined]);
    expect(await ask('/api/history?topic=scores.a', FIRST)).toEqual([403, 'forbidden']);
    expect(await ask('/api/disconnect', SECOND, { user: 'ann' })).toEqual([200, undefined]);
    expect(await ask('/api/disconnect', FIRST, { user: 'ann' })).toEqual([403, 'forbidden']);
    expect(await ask('/api/config', READER)).toEqual([403, 'forbidden']);
    expect(await ask('/api/config', SECOND)).toEqual([200, undefined]);
    expect(await ask('/metrics', READER)).toEqual([200, undefined]);
    expect(await ask('/metrics', FIRST)).toEqual([403, undefined]);
    expect(await ask('/metrics', '')).toEqual([401, undefined]);
  });
});
