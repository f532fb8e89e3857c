import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

export const ROOT = resolve(import.meta.dirname, '../..');
export const SERVER = '@stentor-broadcast/server';
export const CLIENT = '@stentor-broadcast/client';

/** The files that the build may use. Other files would be missing in a fresh clone or in the image. */
const CLONED = [
  ...['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'SECURITY.md'],
  ...['helm', 'package.json', 'src', 'tsconfig.build.json', 'tsconfig.json'],
];

const exec = promisify(execFile);

export async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  // What npm put into the environment for this repository would be taken for the other place's.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(package|lifecycle|config_local_prefix)/.test(name)),
  );
  const { stdout } = await exec(command, args, { cwd, env, maxBuffer: 64 * 1024 * 1024 }).catch((error) => {
    throw new Error(`${command} ${args.join(' ')} failed:\n${error.stdout}\n${error.stderr}`);
  });
  return stdout;
}

export interface Packed {
  readonly tarball: Buffer;
  readonly path: string;
  /** The folder that it was unpacked to. */
  readonly folder: string;
  /** Paths of its files, as `package.json`. */
  readonly files: readonly string[];
  // biome-ignore lint/suspicious/noExplicitAny: a manifest has whatever it has
  readonly manifest: any;
}

export interface Packages {
  readonly server: Packed;
  readonly client: Packed;
}

/** Folders of a test, in a place where no `node_modules` of ours is found from, except `clone`, where the build finds its tools. */
export class PackingPlace {
  readonly folder = mkdtempSync(join(tmpdir(), 'stentor-packages-'));
  readonly clone = join(ROOT, '.cache', `packages-${process.pid}`);

  /** A clone without any build, and what `npm pack` makes of it. */
  async pack(): Promise<Packages> {
    mkdirSync(this.clone, { recursive: true });
    for (const name of CLONED) cpSync(join(ROOT, name), join(this.clone, name), { recursive: true });
    const tarballs = join(this.folder, 'tarballs');
    mkdirSync(tarballs);
    await run('npm', ['pack', '--pack-destination', tarballs], this.clone);
    await run('npm', ['pack', './dist/packages/client', '--pack-destination', tarballs], this.clone);
    return { server: await this.#unpack(tarballs, 'server'), client: await this.#unpack(tarballs, 'client') };
  }

  /** An empty project. */
  project(name: string): string {
    const folder = join(this.folder, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** A project with the client installed from its tarball, and `more` packages. */
  async installClient({ path }: Packed, name: string, ...more: string[]): Promise<string> {
    const folder = this.project(name);
    writeFileSync(join(folder, 'package.json'), '{"private": true}');
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--omit=optional', path, ...more], folder);
    return folder;
  }

  /** A project with the server in it, and its dependencies as they lie here: installing them takes 250 MB. @returns the path of its command */
  installServer({ folder, manifest }: Packed): string {
    const modules = join(this.project('node'), 'node_modules');
    for (const name of Object.keys(manifest.dependencies)) link(join(ROOT, 'node_modules', name), join(modules, name));
    const installed = join(modules, SERVER);
    cpSync(folder, installed, { recursive: true });
    return join(installed, manifest.bin.stentor);
  }

  remove(): void {
    for (const folder of [this.folder, this.clone]) rmSync(folder, { recursive: true, force: true });
  }

  async #unpack(tarballs: string, name: string): Promise<Packed> {
    const file = readdirSync(tarballs).find((entry) => entry.startsWith(`stentor-broadcast-${name}-`)) as string;
    const path = join(tarballs, file);
    const to = this.project(`unpacked-${name}`);
    await run('tar', ['-xzf', path, '-C', to], to);
    const folder = join(to, 'package');
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
    return { tarball: readFileSync(path), path, folder, files, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) };
  }
}

function link(target: string, path: string): void {
  if (!existsSync(target)) return;
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}
