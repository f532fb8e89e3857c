import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

export const CHART = resolve(import.meta.dirname, '../../helm/stentor');
/** Go-built helm thinks that it talks to Kubernetes 1.20; the schemas are of the same version. */
export const KUBERNETES_VERSION = '1.33';

/**
 * A tool that these tests use where it is found: named by the variable, or on the PATH. Who builds or reads the chart has it, who works on the
 * server need not.
 * @throws Error when the variable names no file: whoever sets it wants these tests to run
 */
export function findTool(variable: 'HELM' | 'KUBERNETES_VALIDATE' | 'PROMTOOL', name: string): string | undefined {
  const named = process.env[variable];
  if (named !== undefined && named !== '') {
    if (!existsSync(named)) throw new Error(`$${variable} names no file: ${named}`);
    return named;
  }
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

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
