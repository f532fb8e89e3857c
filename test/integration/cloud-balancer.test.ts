import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findTool } from '../support/find-tool.ts';
import { PAGE } from '../support/page-proxies.ts';

const folder = mkdtempSync(join(tmpdir(), 'stentor-cloud-'));
const CFN_LINT = findTool('CFN_LINT', 'cfn-lint');

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the templates of a cloud load balancer', () => {
  const templates = Array.from(PAGE.matchAll(/^```yaml\n(# [an]lb\.yaml\n[\s\S]*?)^```$/gm), ([, text = '']) => text);

  it('are two: for TCP and for HTTP', () => {
    expect(templates.map((text) => text.split('\n')[0])).toEqual(['# nlb.yaml', '# alb.yaml']);
  });

  it.runIf(CFN_LINT !== undefined).each(templates.map((text) => [text.split('\n')[0], text]))(
    'are accepted by cfn-lint: %s',
    (name = '', text = '') => {
      const path = join(folder, name.slice(2));
      writeFileSync(path, text);
      const { status, stdout, stderr } = spawnSync(CFN_LINT as string, [path], { encoding: 'utf8' });
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
    },
  );
});
