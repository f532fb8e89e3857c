import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { loadHookModules } from '../../src/session/hooks/modules.ts';
import { makeCertificates } from '../support/certificates.ts';
import { findTool } from '../support/find-tool.ts';
import { CHART, helm, KUBERNETES_VERSION, run, template } from './tools.ts';

const HELM = findTool('HELM', 'helm') ?? '';
const VALIDATE = findTool('KUBERNETES_VALIDATE', 'kubernetes-validate');
const PROMTOOL = findTool('PROMTOOL', 'promtool');
const VALUE_SETS = readdirSync(join(CHART, 'ci'));
/** Of the Prometheus operator and the Gateway API: no part of Kubernetes' own schemas. */
const FOREIGN = new Set(['ServiceMonitor', 'PrometheusRule', 'HTTPRoute']);

// biome-ignore lint/suspicious/noExplicitAny: a manifest is whatever the chart made
type Manifest = any;

function manifestsOf(args: readonly string[]): Manifest[] {
  const { ok, stdout, stderr } = template(HELM, args);
  if (!ok) throw new Error(stderr);
  return parseAllDocuments(stdout).flatMap((document) => (document.contents === null ? [] : [document.toJS()]));
}

const fromSet = (file: string) => manifestsOf(['--values', join(CHART, 'ci', file)]);
const named = (manifests: readonly Manifest[], kind: string): Manifest => manifests.find((manifest) => manifest.kind === kind);
const podOf = (manifests: readonly Manifest[]): Manifest => named(manifests, 'Deployment').spec.template.spec;

/** As a ConfigMap is mounted: each file is a symbolic link through `..data` into a folder of its version. */
function mountLikeKubelet(path: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(path, '..2026_11_26'), { recursive: true });
  symlinkSync('..2026_11_26', join(path, '..data'));
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(path, '..data', name), content);
    symlinkSync(join('..data', name), join(path, name));
  }
}

describe.runIf(HELM !== '')('the chart', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stentor-chart-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('passes helm lint with every value set', () => {
    expect(VALUE_SETS.length).toBeGreaterThanOrEqual(5);
    for (const file of VALUE_SETS)
      expect(helm(HELM, ['lint', '--strict', CHART, '--values', join(CHART, 'ci', file)])).toMatchObject({ ok: true });
  });

  it.each(VALUE_SETS)('makes a config of %s that Stentor starts with', (file) => {
    const manifests = fromSet(file);
    const path = join(folder, `${file}.config.yaml`);
    // What the pod mounts there.
    const { cert, key } = makeCertificates(folder).server;
    renameSync(cert, join(folder, 'tls.crt'));
    renameSync(key, join(folder, 'tls.key'));
    writeFileSync(path, named(manifests, 'ConfigMap').data['stentor.yaml'].replaceAll('/etc/stentor/tls/', `${folder}/`));
    const env = {
      ...named(manifests, 'Secret')?.stringData,
      STENTOR_ADMIN_TOKEN: 'a-token-of-an-operator',
      STENTOR_NODE_ID: 'live-stentor-5d8f7c9b6d-x2x7q',
    };
    const { config } = loadConfig({ file: path, env });
    expect(config.admin.host).toBe('0.0.0.0');
    const ports = podOf(manifests).containers[0].ports.map((port: Manifest) => port.containerPort);
    expect(ports).toEqual([config.port, config.admin.port]);
  });

  it.each(VALUE_SETS)('leaves a drain its whole time with %s', (file) => {
    const manifests = fromSet(file);
    const config = parse(named(manifests, 'ConfigMap').data['stentor.yaml']);
    const { terminationGracePeriodSeconds, containers } = podOf(manifests);
    const preStopSeconds = containers[0].lifecycle?.preStop.sleep.seconds ?? 0;
    expect(terminationGracePeriodSeconds * 1000).toBeGreaterThan(preStopSeconds * 1000 + (config.hub?.drainTimeoutMs ?? 20_000));
  });

  it('asks the admin port for health, and shows it to no client', () => {
    const manifests = fromSet('cluster-values.yaml');
    const [container] = podOf(manifests).containers;
    expect(container.readinessProbe.httpGet).toEqual({ path: '/health/ready', port: 'admin', scheme: 'HTTP' });
    expect(container.livenessProbe.httpGet).toEqual({ path: '/health/live', port: 'admin', scheme: 'HTTP' });
    const services = manifests.filter(({ kind }) => kind === 'Service');
    expect(services.map(({ spec }) => spec.ports.map((port: Manifest) => port.name))).toEqual([['ws'], ['admin']]);
    expect(services[1].spec.clusterIP).toBe('None');
  });

  it('mounts the certificate of a Secret, and says everywhere that the nodes have TLS', () => {
    const manifests = manifestsOf([
      '--values',
      join(CHART, 'ci', 'tls-values.yaml'),
      '--set',
      'nodeTls.clientCa=true,config.admin.tls=true,serviceMonitor.enabled=true,serviceMonitor.tlsConfig.serverName=live.example.com',
    ]);
    const config = parse(named(manifests, 'ConfigMap').data['stentor.yaml']);
    expect(config.tls).toEqual({
      certFile: '/etc/stentor/tls/tls.crt',
      keyFile: '/etc/stentor/tls/tls.key',
      caFile: '/etc/stentor/tls/ca.crt',
    });
    const { containers, volumes } = podOf(manifests);
    expect(volumes).toContainEqual({ name: 'tls', secret: { secretName: 'live-tls' } });
    expect(containers[0].volumeMounts).toContainEqual({ name: 'tls', mountPath: '/etc/stentor/tls', readOnly: true });
    expect(['startupProbe', 'readinessProbe', 'livenessProbe'].map((probe) => containers[0][probe].httpGet.scheme)).toEqual(
      Array(3).fill('HTTPS'),
    );
    expect(named(manifests, 'Service').spec.ports[0]).toMatchObject({ port: 443, appProtocol: 'kubernetes.io/wss' });
    expect(named(manifests, 'ServiceMonitor').spec.endpoints[0]).toMatchObject({
      scheme: 'https',
      tlsConfig: { serverName: 'live.example.com' },
    });
    expect(named(manifests, 'Pod').spec.containers[0].args[0]).toMatch(
      /require\('node:https'\)[\s\S]*https:\/\/[\s\S]*statusCode === 426 \|\| \(true/,
    );
    expect(named(fromSet('single-values.yaml'), 'Service').spec.ports[0].appProtocol).toBe('kubernetes.io/ws');
  });

  it('mounts the files of hooks where the config looks for them', async () => {
    const manifests = fromSet('hooks-values.yaml');
    const { containers, volumes } = podOf(manifests);
    expect(volumes).toContainEqual({ name: 'hooks', configMap: { name: 'live-hooks' } });
    expect(containers[0].volumeMounts).toContainEqual({ name: 'hooks', mountPath: '/etc/stentor/hooks', readOnly: true });
    const mounted = join(folder, 'hooks');
    mountLikeKubelet(mounted, {
      'connections.mjs': 'export const connect = () => ({ allow: true });',
      'rooms.mjs': "import { rule } from './rules.mjs';\nexport const subscribe = () => rule;",
      'rules.mjs': "export const rule = { allow: false, code: 'members_only' };",
    });
    const path = join(folder, 'hooks.config.yaml');
    writeFileSync(path, named(manifests, 'ConfigMap').data['stentor.yaml'].replaceAll('/etc/stentor/hooks/', `${mounted}/`));
    const env = { ...named(manifests, 'Secret').stringData, STENTOR_ADMIN_TOKEN: 'a-token-of-an-operator' };
    const hooks = await loadHookModules(loadConfig({ file: path, env }).config);
    expect(hooks.connections.connect?.({} as never)).toEqual({ allow: true });
    expect(hooks.namespaces.get('chat')?.subscribe?.({} as never)).toEqual({ allow: false, code: 'members_only' });
  });

  it('runs without root, on a read-only file system, with nothing of the Kubernetes API', () => {
    const pod = podOf(fromSet('single-values.yaml'));
    expect(pod.securityContext.runAsNonRoot).toBe(true);
    expect(pod.containers[0].securityContext).toMatchObject({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false });
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.enableServiceLinks).toBe(false);
  });

  it('keeps secrets out of the ConfigMap, and gives Prometheus the token', () => {
    const manifests = fromSet('monitoring-values.yaml');
    expect(named(manifests, 'Secret').stringData.STENTOR_ADMIN_TOKEN).toBe('a-token-for-prometheus');
    expect(JSON.stringify(named(manifests, 'ConfigMap'))).not.toContain('a-token-for-prometheus');
    const [endpoint] = named(manifests, 'ServiceMonitor').spec.endpoints;
    expect(endpoint.authorization.credentials).toEqual({ name: named(manifests, 'Secret').metadata.name, key: 'STENTOR_ADMIN_TOKEN' });
    const alerts = named(manifests, 'PrometheusRule').spec.groups[0].rules.map((rule: Manifest) => rule.alert);
    expect(alerts).toContain('StentorMemory');
    expect(alerts).not.toContain('StentorConnectionSpike');
  });

  it('scales by connections, deliveries and the delay of event loops where their targets are set', () => {
    const targets = ({ spec }: Manifest) =>
      spec.metrics.flatMap(({ pods }: Manifest) => (pods === undefined ? [] : [[pods.metric.name, pods.target.averageValue]]));
    expect(targets(named(fromSet('cluster-values.yaml'), 'HorizontalPodAutoscaler'))).toEqual([
      ['stentor_connections', '50000'],
      ['stentor_deliveries_per_second', '1500000'],
      ['stentor_loop_lag_seconds', '50m'],
    ]);
    const byCpu = manifestsOf(['--set', 'autoscaling.enabled=true,config.nats.url=nats://nats:4222']);
    expect(targets(named(byCpu, 'HorizontalPodAutoscaler'))).toEqual([]);
  });

  it('adds a node when a worker and its hub use 0.7 core: above a normal load, below the maximum of a worker', () => {
    const manifests = fromSet('cluster-values.yaml');
    const { workers } = parse(named(manifests, 'ConfigMap').data['stentor.yaml']);
    const [{ resource }] = named(manifests, 'HorizontalPodAutoscaler').spec.metrics;
    const { resources } = podOf(manifests).containers[0];
    const coresPerWorker = ((resource.target.averageUtilization / 100) * Number(resources.requests.cpu)) / workers;
    expect(coresPerWorker).toBeCloseTo(0.7);
    // A node that is throttled is late for everybody.
    expect(resources.limits.cpu).toBeUndefined();
    expect(Number(podOf(fromSet('single-values.yaml')).containers[0].resources.requests.cpu)).toBe(1);
  });

  it('permits the pod of `helm test` where clients are restricted, and sends it no clients', () => {
    const manifests = fromSet('gateway-values.yaml');
    const { ingress, podSelector } = named(manifests, 'NetworkPolicy').spec;
    const { labels } = named(manifests, 'Pod').metadata;
    const fits = (selector: Manifest) => Object.entries(selector.matchLabels).every(([name, value]) => labels[name] === value);
    const letIn = ingress.filter(({ from }: Manifest) => from?.some((peer: Manifest) => peer.podSelector && fits(peer.podSelector)));
    expect(letIn.map(({ ports }: Manifest) => ports)).toEqual([[{ port: 'ws', protocol: 'TCP' }]]);
    expect(fits(podSelector)).toBe(false);
    for (const { spec } of manifests.filter(({ kind }) => kind === 'Service')) expect(fits({ matchLabels: spec.selector })).toBe(false);
  });

  it('makes names that leave room for a pod’s, which is the node’s id', () => {
    const { name } = named(fromSet('gateway-values.yaml'), 'Deployment').metadata;
    expect(name).toMatch(/^[a-z0-9-]{1,44}$/);
  });

  it.each([
    ['a misspelt setting', ['config.limits.conectionsPerWorkerMax=1'], 'conectionsPerWorkerMax'],
    ['a setting out of its bounds', ['config.workers=1000'], 'config/workers'],
    ['a secret in the config', ['config.admin.token=x'], 'token'],
    ['an unknown value', ['replicas=3'], 'replicas'],
    ['several nodes without NATS', ['replicaCount=3'], 'more than one node needs NATS'],
    ['a grace period that cuts the drain', ['terminationGracePeriodSeconds=20'], 'needs 26 at least'],
    ['an Ingress without hosts', ['ingress.enabled=true'], 'ingress.hosts'],
    ['a route without a Gateway', ['gateway.enabled=true'], 'gateway.parentRefs'],
    ['a client certificate that is nowhere', ['natsTls.clientCertificate=true'], 'natsTls.existingSecret'],
    ['creds from two places', ['natsCreds.existingSecret=a', 'config.nats.credsFile=/b'], 'natsCreds or config.nats.credsFile'],
    ['a CA from two places', ['natsTls.existingSecret=a', 'config.nats.tlsCaFile=/b'], 'natsTls or config.nats.tlsCaFile'],
    ['a certificate from two places', ['nodeTls.existingSecret=a', 'config.tls.certFile=/b'], 'nodeTls or config.tls.certFile'],
    ['a CA of clients that is nowhere', ['nodeTls.clientCa=true'], 'nodeTls.existingSecret'],
    ['a file of hooks that is nowhere', ['config.hooks.module=/etc/stentor/hooks/a.mjs'], 'set hookModules.existingConfigMap'],
    [
      'a file of hooks of a namespace that is nowhere',
      ['config.namespaces.chat.hooks.module=/etc/stentor/hooks/a.mjs'],
      'set hookModules.existingConfigMap',
    ],
    ['files of hooks that nobody loads', ['hookModules.existingConfigMap=a'], 'no hooks.module of config'],
    ['an admin port that probes cannot reach', ['config.admin.host=127.0.0.1'], 'config.admin.host is 127.0.0.1'],
    ['a port that clients cannot reach', ['config.host=localhost'], 'config.host is localhost'],
    ['a rollout that cannot begin', ['maxSurge=0'], 'maxSurge and maxUnavailable'],
    ['a misspelt variable', ['secretEnv.STENTOR_NATS_URLL=nats://a'], 'STENTOR_NATS_URLL'],
    ['a misspelt variable of a namespace', ['secretEnv.STENTOR_NAMESPACES__scores__PUBLICK=true'], 'STENTOR_NAMESPACES__scores__PUBLICK'],
  ])('refuses %s before anything reaches the cluster', (_, settings, complaint) => {
    const { ok, stderr } = template(
      HELM,
      settings.flatMap((setting) => ['--set', setting]),
    );
    expect(ok).toBe(false);
    expect(stderr).toContain(complaint);
  });

  it.runIf(VALIDATE !== undefined).each(VALUE_SETS)('fits Kubernetes’ schemas, strictly, with %s', (file) => {
    const path = join(folder, `${file}.manifests.yaml`);
    const manifests = fromSet(file).filter(({ kind }) => !FOREIGN.has(kind));
    writeFileSync(path, manifests.map((manifest) => JSON.stringify(manifest)).join('\n---\n'));
    const told = run(VALIDATE ?? '', ['--strict', '-k', KUBERNETES_VERSION, path]);
    expect(told.match(/ passed for resource /g)).toHaveLength(manifests.length);
  });
});

describe.runIf(HELM !== '')('the chart with NATS beside it', () => {
  const umbrella = join(CHART, '../stentor-with-nats');
  const read = (file: string) => parse(readFileSync(join(umbrella, file), 'utf8'));

  it('has values that the stentor chart accepts, and its version', () => {
    const folder = mkdtempSync(join(tmpdir(), 'stentor-chart-'));
    try {
      const path = join(folder, 'values.yaml');
      writeFileSync(path, JSON.stringify(read('values.yaml').stentor));
      expect(named(manifestsOf(['--values', path]), 'Deployment').spec.replicas).toBe(3);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    const { version } = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8'));
    expect(read('Chart.yaml').dependencies[0]).toMatchObject({ name: 'stentor', version });
  });
});

describe.runIf(PROMTOOL !== undefined)('the alerts', () => {
  it('are rules that Prometheus loads, and fire when they should', () => {
    expect(run(PROMTOOL ?? '', ['check', 'rules', join(CHART, 'rules/stentor.yaml')])).toContain('SUCCESS');
    expect(run(PROMTOOL ?? '', ['test', 'rules', join(import.meta.dirname, 'alerts.yaml')])).toContain('SUCCESS');
  });
});

describe('the alerts’ texts', () => {
  it('each say what to do', () => {
    const { groups } = parse(readFileSync(join(CHART, 'rules/stentor.yaml'), 'utf8'));
    for (const { alert, annotations, labels } of groups[0].rules) {
      expect(Object.keys(annotations), alert).toEqual(['summary', 'description', 'runbook']);
      expect(['warning', 'critical']).toContain(labels.severity);
    }
  });
});
