import { spawnSync } from 'node:child_process';

/** May this process make a network namespace, and filter packets in it? */
export function hasOwnNetworks(): boolean {
  if (process.platform !== 'linux') return false;
  return spawnSync('unshare', ['--net', 'sh', '-c', 'ip link set lo up && nft list ruleset'], { stdio: 'ignore' }).status === 0;
}
