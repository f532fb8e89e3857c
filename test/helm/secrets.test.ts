import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { SETTINGS } from '../../src/config/settings.ts';
import { holdsSecret } from '../../src/config/shape.ts';
import { findTool } from '../support/find-tool.ts';
import { ClusterStub } from './cluster-stub.ts';
import { type HelmResult, template, templateAsync } from './tools.ts';

const HELM = findTool('HELM', 'helm') ?? '';
/** Whose whole value is a secret. */
const SECRET_VARIABLES = SETTINGS.filter(({ shape }) => holdsSecret(shape)).map(({ envName }) => envName);
const SEVERAL = ['replicaCount=2'];

const set = (settings: readonly string[]) => settings.flatMap((setting) => ['--set', setting]);

/** The annotations of the pods that the chart would make. */
function annotationsOf({ ok, stdout, stderr }: HelmResult): Record<string, string> {
  if (!ok) throw new Error(stderr);
  const manifests = parseAllDocuments(stdout).map((document) => document.toJS());
  return manifests.find((manifest) => manifest?.kind === 'Deployment').spec.template.metadata.annotations;
}

describe.runIf(HELM !== '')('secrets of the chart', () => {
  it.each([
    ['a user and a password', 'config.nats.url=nats://stentor:hunter2@nats:4222'],
    ['a token', 'config.nats.url=nats://hunter2@nats:4222'],
    ['a password behind a server without one', 'config.nats.url=nats://a:4222\\,tls://stentor:hunter2@b:4222'],
    ['a password, without a scheme', 'config.nats.url=stentor:hunter2@nats:4222'],
    ['a password with a slash', 'config.nats.url=nats://stentor:hunter2/x@nats:4222'],
    ['a password, in another URL', 'config.auth.jwksUrl=https://stentor:hunter2@login.example.com/jwks.json'],
  ])('do not get into the ConfigMap by a URL that has %s, and are not printed', (_, setting) => {
    const { ok, stderr } = template(HELM, set([setting]));
    expect(ok).toBe(false);
    expect(stderr).toContain('put the whole URL into a Secret (STENTOR_NATS_URL)');
    expect(stderr).not.toContain('hunter2');
  });

  const env = (name: string, value: string) => [`extraEnv[0].name=${name}`, `extraEnv[0].value=${value}`];
  it.each<readonly [string, string[]]>([
    ...SECRET_VARIABLES.map(
      (name) => [name, env(name, name === 'STENTOR_AUTH_KEYS' ? '[{alg: HS256\\, secret: hunter2}]' : 'hunter2')] as const,
    ),
    ['STENTOR_NATS_URL with a login', env('STENTOR_NATS_URL', 'nats://stentor:hunter2@nats:4222')],
    ['STENTOR_NATS_URL with a login, without a scheme', env('STENTOR_NATS_URL', 'stentor:hunter2@nats:4222')],
    ['STENTOR_AUTH_JWKS_URL with a login', env('STENTOR_AUTH_JWKS_URL', 'https://stentor:hunter2@login.example.com/jwks.json')],
  ])('do not stand in the Deployment as a value of extraEnv, and are not printed: %s', (_, settings) => {
    const { ok, stderr } = template(HELM, set(settings));
    expect(ok).toBe(false);
    expect(stderr).toContain('take it from a Secret (valueFrom.secretKeyRef)');
    expect(stderr).not.toContain('hunter2');
  });

  it('and what is none, does', () => {
    const { ok, stdout } = template(
      HELM,
      set([
        ...env('STENTOR_AUTH_KEYS', '[{alg: EdDSA\\, publicKeyFile: /keys/public.pem}]'),
        'extraEnv[1].name=A',
        'extraEnv[1].value=x://y@z',
      ]),
    );
    expect(ok).toBe(true);
    expect(stdout).toContain('x://y@z');
  });

  it.each([
    ['config', ['config.nats.url=nats://nats:4222']],
    ['several servers in config', ['config.nats.url=nats://a:4222\\,nats://b:4222']],
    ['secretEnv', ['secretEnv.STENTOR_NATS_URL=nats://stentor:secret@nats:4222']],
    [
      'a key of a Secret by extraEnv',
      [
        'existingSecret=stentor-env',
        'extraEnv[0].name=STENTOR_NATS_URL',
        'extraEnv[0].valueFrom.secretKeyRef.name=stentor-env',
        'extraEnv[0].valueFrom.secretKeyRef.key=STENTOR_NATS_URL',
      ],
    ],
  ])('let several nodes start whose URL of NATS is in %s', (_, settings) => {
    expect(template(HELM, set([...SEVERAL, ...settings]))).toMatchObject({ ok: true });
  });

  it.each([
    ['existingSecret may or may not have it', ['existingSecret=stentor-env']],
    ['secretEnv has an empty one', ['secretEnv.STENTOR_NATS_URL=']],
    ['extraEnv has other variables', ['extraEnv[0].name=NODE_OPTIONS', 'extraEnv[0].value=--trace-warnings']],
  ])('refuse several nodes with no URL of NATS that is known: %s', (_, settings) => {
    const { ok, stderr } = template(HELM, set([...SEVERAL, ...settings]));
    expect(ok).toBe(false);
    expect(stderr).toContain('more than one node needs NATS');
  });

  it('roll the pods when the chart’s own Secret changes', () => {
    const withToken = (token: string) => annotationsOf(template(HELM, set([`secretEnv.STENTOR_ADMIN_TOKEN=${token}`])));
    const checksum = withToken('one')['checksum/secret'];
    expect(checksum).toMatch(/^[0-9a-f]{64}$/);
    expect(withToken('one')['checksum/secret']).toBe(checksum);
    expect(withToken('two')['checksum/secret']).not.toBe(checksum);
  });

  describe('of yours (existingSecret), where helm can ask the cluster', () => {
    let cluster: ClusterStub;
    beforeAll(async () => {
      cluster = await ClusterStub.start();
    });
    afterAll(() => cluster.stop());

    const inCluster = (settings: readonly string[]) =>
      templateAsync(HELM, ['--dry-run=server', '--kube-apiserver', cluster.url, ...set(['existingSecret=stentor-env', ...settings])]);

    it('roll the pods when they change', async () => {
      cluster.secrets.set('stentor-env', { STENTOR_ADMIN_TOKEN: 'one' });
      const before = annotationsOf(await inCluster([]))['checksum/existing-secret'];
      expect(before).toMatch(/^[0-9a-f]{64}$/);
      expect(annotationsOf(await inCluster([]))['checksum/existing-secret']).toBe(before);
      cluster.secrets.set('stentor-env', { STENTOR_ADMIN_TOKEN: 'two' });
      expect(annotationsOf(await inCluster([]))['checksum/existing-secret']).not.toBe(before);
    });

    it('say whether several nodes have a URL of NATS', async () => {
      cluster.secrets.set('stentor-env', { STENTOR_ADMIN_TOKEN: 'one', STENTOR_NATS_URL: 'nats://stentor:secret@nats:4222' });
      expect(await inCluster(SEVERAL)).toMatchObject({ ok: true });
      cluster.secrets.set('stentor-env', { STENTOR_ADMIN_TOKEN: 'one' });
      expect((await inCluster(SEVERAL)).stderr).toContain('more than one node needs NATS');
    });
  });

  it('and files of hooks roll the pods when they change, where helm can ask the cluster', async () => {
    const cluster = await ClusterStub.start();
    try {
      const settings = ['hookModules.existingConfigMap=live-hooks', 'config.hooks.module=/etc/stentor/hooks/a.mjs'];
      const checksumWith = async (file: string) => {
        cluster.configMaps.set('live-hooks', { 'a.mjs': file });
        const told = await templateAsync(HELM, ['--dry-run=server', '--kube-apiserver', cluster.url, ...set(settings)]);
        return annotationsOf(told)['checksum/hook-modules'];
      };
      const before = await checksumWith('one');
      expect(before).toMatch(/^[0-9a-f]{64}$/);
      expect(await checksumWith('one')).toBe(before);
      expect(await checksumWith('two')).not.toBe(before);
      expect(annotationsOf(template(HELM, set(settings)))).not.toHaveProperty('checksum/hook-modules');
    } finally {
      await cluster.stop();
    }
  });

  it('of yours change no annotation where helm cannot ask: a rollout restart does it', () => {
    expect(annotationsOf(template(HELM, set(['existingSecret=stentor-env'])))).not.toHaveProperty('checksum/existing-secret');
  });
});
