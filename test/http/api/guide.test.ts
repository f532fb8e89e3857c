import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { checkShape } from '../../../src/config/check.ts';
import { shapeAt } from '../../../src/config/shape.ts';
import { codesOf } from '../../../src/http/api/openapi.ts';
import { ROUTES } from '../../../src/http/api/table.ts';
import { statusOf } from '../../../src/protocol/http-status.ts';
import { findTool } from '../../support/find-tool.ts';
import { TestNode } from '../../support/node.ts';
import { sign } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';

const GUIDE = readFileSync(resolve(import.meta.dirname, '../../../src/http/API.md'), 'utf8');
const TOKEN = 'the-operators-token';
const CURL = findTool('CURL', 'curl');
/** Commands, and what each prints: one JSON value a line. */
const EXAMPLES = Array.from(GUIDE.matchAll(/^```sh\n([\s\S]*?)^```\n\n```json\n([\s\S]*?)^```$/gm), ([, commands = '', answers = '']) => ({
  commands: commands.trimEnd().split('\n'),
  answers: answers
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown),
}));

/** `"…"` stands for any value. */
function matching(value: unknown): unknown {
  if (value === '…') return expect.anything();
  if (Array.isArray(value)) return value.map(matching);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, matching(child)]));
}

describe('the page of the HTTP API', () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await TestNode.start({ 'admin.token': TOKEN, 'namespaces.scores.presence': 'members' });
    const ann = await node.connect({ encoding: 'json', token: await sign({ sub: 'ann', exp: Date.now() / 1000 + 600 }) });
    await ann.subscribe('scores.epl.match-42');
    const path = '/api/presence?topic=scores.epl.match-42';
    await until('ann to be there', async () =>
      (await (await node.admin(path, { Authorization: `Bearer ${TOKEN}` })).text()).includes('ann'),
    );
  });
  afterAll(() => node?.stop());

  it.skipIf(CURL === undefined)('has commands that print what it says', async () => {
    expect(EXAMPLES.length).toBeGreaterThanOrEqual(7);
    for (const { commands, answers } of EXAMPLES) {
      expect(answers).toHaveLength(commands.length);
      for (const [at, command] of commands.entries()) {
        const here = command.replace('localhost:9090', `127.0.0.1:${node.running.adminPort}`).replace('curl ', `${CURL} -sS `);
        const { stdout } = await promisify(execFile)('sh', ['-c', here], { env: { TOKEN } });
        expect(JSON.parse(stdout), command).toEqual(matching(answers[at]));
      }
    }
  });

  it('has tokens that the config accepts', () => {
    const [, yaml = ''] = /^```yaml\n([\s\S]*?)^```$/m.exec(GUIDE) ?? [];
    const { tokens } = parse(yaml).admin;
    expect(tokens).toHaveLength(2);
    expect(checkShape(shapeAt('admin.tokens') as NonNullable<ReturnType<typeof shapeAt>>, tokens)).toEqual([]);
  });

  it('names every path, with its scope, and every code, with its status', () => {
    for (const { path, scope } of ROUTES) {
      expect(GUIDE).toMatch(new RegExp(`^\\|.*${path.replace('/api/', '/')}\`.*\\| \`${scope}\` \\|`, 'm'));
    }
    const codes = new Set(ROUTES.flatMap(codesOf));
    codes.delete('internal');
    for (const code of codes) expect(GUIDE).toMatch(new RegExp(`^\\| ${statusOf(code)} \\|.*\`${code}\``, 'm'));
  });
});
