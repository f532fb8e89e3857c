import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

export const CHART = resolve(import.meta.dirname, '../../helm/stentor');
/** Go-built helm thinks that it talks to Kubernetes 1.20; the schemas are of the same version. */
export const KUBERNETES_VERSION = '1.33';

const TEMPLATE_ARGS = ['template', 'live', CHART, '--namespace', 'media', '--kube-version', `${KUBERNETES_VERSION}.0`];

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
  return helm(binary, [...TEMPLATE_ARGS, ...args]);
}

/** The same while this process goes on: it may be the cluster that helm asks. */
export function templateAsync(binary: string, args: readonly string[]): Promise<HelmResult> {
  return new Promise((resolve) => {
    execFile(binary, [...TEMPLATE_ARGS, ...args], { encoding: 'utf8' }, (error, stdout, stderr) => {
      resolve({ ok: error === null, stdout, stderr });
    });
  });
}

export function run(binary: string, args: readonly string[]): string {
  return execFileSync(binary, args, { encoding: 'utf8', stdio: 'pipe' });
}
