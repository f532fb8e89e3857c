import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

export const ROOT = resolve(import.meta.dirname, '../..');
const OUT = join(ROOT, '.cache', 'faults');

/** Where results are written; git does not see it. */
export const RESULTS = join(OUT, 'results');
const DIST = join(ROOT, 'dist');
/** Nodes run a copy: a build while faults run would take their files away. */
const COPY = join(OUT, `copy-${process.pid}`);
export const NODE_MAIN = join(COPY, 'dist/cli/main.js');

const CHILDREN = ['swarm', 'attack', 'flood', 'people', 'revoked'] as const;

/** Builds the children to plain JavaScript: thousands of clients on two cores leave nothing for a TypeScript loader. */
export async function buildChildren(): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries(CHILDREN.map((name) => [name, `test/faults/${name}/main.ts`])),
    outdir: OUT,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
  });
}

export function childScript(name: (typeof CHILDREN)[number]): string {
  return join(OUT, `${name}.mjs`);
}

/** Nodes run the build. @throws Error when there is none and none can be made */
export function prepareNodes(): void {
  if (!existsSync(join(DIST, 'cli/main.js'))) {
    const { status } = spawnSync('npm', ['run', '-s', 'build'], { cwd: ROOT, stdio: 'inherit' });
    if (status !== 0) throw new Error('the build failed: nodes cannot be started');
  }
  cpSync(DIST, join(COPY, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(COPY, 'package.json'));
  process.once('exit', () => rmSync(COPY, { recursive: true, force: true }));
}
