import { spawnSync } from 'node:child_process';

/** May this process make a network namespace, and filter packets in it? */
export function hasOwnNetworks(): boolean {
  if (process.platform !== 'linux') return false;
  return spawnSync('unshare', ['--net', 'sh', '-c', 'ip link set lo up && nft list ruleset'], { stdio: 'ignore' }).status === 0;
}

/** Packets are dropped only in a namespace of the run's own, which run.ts has made: never on the machine's loopback. */
export function inOwnNetwork(): boolean {
  return process.env.STENTOR_FAULTS_OWN_NETWORK === '1' && hasOwnNetworks();
}

/** Drops what comes from and goes to this address and port, silently, until {@link heal}. */
export function cutOff(address: string, port: number): void {
  nft('add', 'table', 'inet', 'faults');
  nft('add', 'chain', 'inet', 'faults', 'input', '{ type filter hook input priority 0; }');
  nft('add', 'rule', 'inet', 'faults', 'input', 'ip', 'daddr', address, 'tcp', 'dport', String(port), 'drop');
  nft('add', 'rule', 'inet', 'faults', 'input', 'ip', 'saddr', address, 'tcp', 'sport', String(port), 'drop');
}

export function heal(): void {
  nft('delete', 'table', 'inet', 'faults');
}

function nft(...args: string[]): void {
  const { status, stderr } = spawnSync('nft', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`nft ${args.join(' ')}: ${stderr}`);
}
