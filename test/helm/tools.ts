import { execFileSync, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

export const CHART = resolve(import.meta.dirname, '../../helm/stentor');
/** Go-built helm thinks that it talks to Kubernetes 1.20; the schemas are of the same version. */
export const KUBERNETES_VERSION = '1.33';

export interface HelmResult {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export function helm(binary: string, args: readonly string[]): HelmResult {
  const { status, stdout, stderr } = spawnSync(binary, args, { encoding: 'utf8' });
  return { ok: status === 0, stdout, stderr };
}

/** `helm template`, with values from a file of ci/ or from `--set` texts. */
export function template(binary: string, args: readonly string[]): HelmResult {
  return helm(binary, ['template', 'live', CHART, '--namespace', 'media', '--kube-version', `${KUBERNETES_VERSION}.0`, ...args]);
}

export function run(binary: string, args: readonly string[]): string {
  return execFileSync(binary, args, { encoding: 'utf8', stdio: 'pipe' });
}
