import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KUBERNETES_VERSION } from './tools.ts';

const [MAJOR, MINOR] = KUBERNETES_VERSION.split('.') as [string, string];

/** As much of a Kubernetes API as `lookup` of a Secret or a ConfigMap asks for: the real helm reads it over HTTP, as it would a cluster's. */
export class ClusterStub {
  /** By name, in every namespace: what `data` has before base64. */
  readonly secrets = new Map<string, Readonly<Record<string, string>>>();
  /** By name, in every namespace: `data`. */
  readonly configMaps = new Map<string, Readonly<Record<string, string>>>();
  readonly #server: Server = createServer((request, response) => {
    const answer = this.#answer(new URL(request.url ?? '/', 'http://cluster').pathname);
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 }));
  });

  static async start(): Promise<ClusterStub> {
    const stub = new ClusterStub();
    stub.#server.listen(0, '127.0.0.1');
    await once(stub.#server, 'listening');
    return stub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #answer(path: string): object | undefined {
    if (path === '/version') return { major: MAJOR, minor: MINOR, gitVersion: `v${KUBERNETES_VERSION}.0` };
    if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] };
    if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: [] };
    if (path === '/api/v1') {
      const secrets = { name: 'secrets', singularName: 'secret', namespaced: true, kind: 'Secret', verbs: ['get', 'list'] };
      const configMaps = { ...secrets, name: 'configmaps', singularName: 'configmap', kind: 'ConfigMap' };
      return { kind: 'APIResourceList', groupVersion: 'v1', resources: [secrets, configMaps] };
    }
    const [, mapName = ''] = /^\/api\/v1\/namespaces\/[^/]+\/configmaps\/(.+)$/.exec(path) ?? [];
    const map = this.configMaps.get(mapName);
    if (map !== undefined) return { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: mapName }, data: map };
    const [, name = ''] = /^\/api\/v1\/namespaces\/[^/]+\/secrets\/(.+)$/.exec(path) ?? [];
    const data = this.secrets.get(name);
    if (data === undefined) return undefined;
    const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
    return { kind: 'Secret', apiVersion: 'v1', metadata: { name }, type: 'Opaque', data: Object.fromEntries(encoded) };
  }
}
