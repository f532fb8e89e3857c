import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const SCRIPT = join(ROOT, 'src/packages/image-sbom.mjs');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

interface Sbom {
  readonly bomFormat: string;
  readonly metadata: { readonly component: { readonly 'bom-ref': string; readonly name: string } };
  readonly components: readonly { readonly name: string; readonly version: string; readonly purl: string }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** A folder as the image's: the lock file, and the manifests of what `npm prune --omit=dev` leaves; `except` stands for what is removed besides. */
function imageFolder(except: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'stentor-image-'));
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(ROOT, file), join(folder, file));
  const { packages } = JSON.parse(read('package-lock.json')) as { readonly packages: Readonly<Record<string, { readonly dev?: boolean }>> };
  for (const [path, { dev }] of Object.entries(packages)) {
    const manifest = join(path, 'package.json');
    if (path !== '' && !dev && path !== `node_modules/${except}` && existsSync(join(ROOT, manifest))) {
      cpSync(join(ROOT, manifest), join(folder, manifest));
    }
  }
  return folder;
}

describe('the image’s list of npm packages', () => {
  const folder = imageFolder('uws-pack');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const npm = execFileSync('npm', ['sbom', '--package-lock-only', '--sbom-format=cyclonedx'], { cwd: folder, encoding: 'utf8' });
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT], { cwd: folder, encoding: 'utf8', input: npm });
  if (status !== 0) throw new Error(stderr);
  const sbom = JSON.parse(stdout) as Sbom;
  const { name, dependencies, devDependencies } = JSON.parse(read('package.json')) as {
    readonly name: string;
    readonly dependencies: Readonly<Record<string, string>>;
    readonly devDependencies: Readonly<Record<string, string>>;
  };

  it('is CycloneDX, of this package', () => {
    expect(sbom.bomFormat).toBe('CycloneDX');
    expect(sbom.metadata.component.name).toBe(name);
  });

  it('has each package that a node loads, as installed, and none that only builds or tests it', () => {
    const listed = new Map(sbom.components.map((component) => [component.name, component]));
    for (const each of Object.keys(dependencies)) {
      if (each === 'uws-pack') continue;
      const { version } = JSON.parse(read(`node_modules/${each}/package.json`)) as { readonly version: string };
      expect(listed.get(each), each).toMatchObject({ version, purl: expect.stringContaining('pkg:npm/') });
    }
    expect(Object.keys(devDependencies).filter((each) => listed.has(each))).toEqual([]);
  });

  it('has nothing of other platforms and nothing that was removed, and names nothing that is not in it', () => {
    const known = new Set([sbom.metadata.component['bom-ref'], ...sbom.components.map((each) => `${each.name}@${each.version}`)]);
    for (const { ref, dependsOn } of sbom.dependencies) for (const each of [ref, ...dependsOn]) expect(known, ref).toContain(each);
    const foreign = sbom.components.filter((each) => /-(darwin|win32|linux)-/.test(each.name) && !each.name.includes(process.platform));
    expect(foreign).toEqual([]);
    expect(stdout).not.toContain('uws-pack');
  });

  it('reports an input that is not a list', () => {
    expect(spawnSync(process.execPath, [SCRIPT], { cwd: folder, input: '' }).status).not.toBe(0);
  });
});

describe('the Dockerfile', () => {
  const [, runtime = ''] = read('Dockerfile').split('RUNTIME_IMAGE}');

  it.each(['VERSION', 'REVISION', 'SOURCE'])('labels the image with the %s that it is built with', (argument) => {
    expect(runtime).toMatch(new RegExp(`^ARG ${argument}=`, 'm'));
    expect(runtime).toContain(`org.opencontainers.image.${argument.toLowerCase()}="\${${argument}}"`);
    // After what takes long: another revision must not fetch everything again.
    expect(runtime.indexOf(`ARG ${argument}`)).toBeGreaterThan(runtime.lastIndexOf('COPY'));
  });

  it('puts the list of packages into the image', () => {
    expect(runtime).toContain('/app/sbom.cdx.json');
  });
});

describe('what builds the image', () => {
  it('names built files that there are', () => {
    const scripts = ['Dockerfile', 'src/packages/prune-image.mjs', 'src/packages/image-sbom.mjs'].map(read).join('\n');
    const inDockerfile = Array.from(scripts.matchAll(/\/app\/dist\/([\w/-]+)\.js/g), ([, path]) => path);
    const inScripts = Array.from(scripts.matchAll(/join\('dist', ((?:'[\w.-]+'(?:, )?)+)\)/g), ([, parts = '']) =>
      parts.replaceAll(/'|\s/g, '').replaceAll(',', '/'),
    );
    const files = [...inDockerfile, ...inScripts.filter((path) => path.endsWith('.js')).map((path) => path.slice(0, -3))];
    expect(files).toContain('transport/uws');
    expect(new Set(files).size).toBeGreaterThanOrEqual(2);
    expect(files.filter((path) => !existsSync(join(ROOT, 'src', `${path}.ts`)))).toEqual([]);
  });
});
