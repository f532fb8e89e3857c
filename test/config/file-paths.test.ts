import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { CONFIG_SHAPE, type Shape, shapeAt } from '../../src/config/shape.ts';
import { tempFile } from './helpers.ts';

const load = (file: string, flags: Record<string, unknown> = {}, env: Record<string, string> = {}) =>
  loadConfig({ file, env, flags }).config;

/** Every name of the schema, in maps and lists too. */
function namesOf(shape: Shape | undefined): readonly (readonly [string, Shape])[] {
  const children = [
    ...Object.entries(shape?.properties ?? {}),
    ...Object.values(shape?.patternProperties ?? {}).flatMap((child) => namesOf(child)),
  ];
  return [...children, ...children.flatMap(([, child]) => namesOf(child)), ...(shape?.items ? namesOf(shape.items) : [])];
}

describe('paths of files', () => {
  it('in a config file are relative to its folder', () => {
    const file = tempFile('stentor.yaml', 'nats: {url: "nats://a", credsFile: secrets/a.creds, tlsCaFile: ../ca.pem}');
    const { nats } = load(file);
    expect(nats).toMatchObject({ credsFile: join(dirname(file), 'secrets/a.creds'), tlsCaFile: resolve(dirname(file), '../ca.pem') });
    expect(nats).toMatchObject({ tlsCertFile: '', tlsKeyFile: '' });
  });

  it('in a config file named by a relative path too', () => {
    const file = tempFile('stentor.json', '{"nats": {"credsFile": "a.creds"}}');
    expect(load(relative(process.cwd(), file)).nats.credsFile).toBe(join(dirname(file), 'a.creds'));
  });

  it('in a linked config file are relative to the link, as Kubernetes mounts files', () => {
    const target = tempFile('stentor.yaml', 'nats: {credsFile: a.creds}');
    const folder = join(dirname(target), 'mounted');
    mkdirSync(folder);
    symlinkSync(target, join(folder, 'stentor.yaml'));
    expect(load(join(folder, 'stentor.yaml')).nats.credsFile).toBe(join(folder, 'a.creds'));
  });

  it('that are absolute stay as they are', () => {
    expect(load(tempFile('stentor.yaml', 'nats: {credsFile: /etc/a.creds}')).nats.credsFile).toBe('/etc/a.creds');
  });

  it('in variables and flags are relative to the working directory', () => {
    const file = tempFile('stentor.yaml', 'nats: {tlsCertFile: c.pem, tlsKeyFile: k.pem}');
    const { nats } = load(file, { 'nats.tlsKeyFile': 'flag.pem' }, { STENTOR_NATS_TLS_CERT_FILE: './env.pem' });
    expect(nats).toMatchObject({ tlsCertFile: './env.pem', tlsKeyFile: 'flag.pem' });
  });

  it('are all settings that are named so', () => {
    const files = namesOf(CONFIG_SHAPE).filter(([name]) => name.endsWith('File'));
    expect(files.length).toBeGreaterThanOrEqual(5);
    expect(files.filter(([, shape]) => shape.filePath !== true).map(([name]) => name)).toEqual([]);
    expect(SETTINGS.filter(({ path }) => path.endsWith('File') && shapeAt(path)?.filePath !== true)).toEqual([]);
  });
});
