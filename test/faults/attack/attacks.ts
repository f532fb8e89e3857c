import type { AttackedNode } from '../attacked-node.ts';
import type { RequestsSettings } from '../flood/settings.ts';
import type { AttackSettings } from './settings.ts';

/** What attackers do, all the time: on connections, or by requests over plain HTTP. */
export type Attack = { readonly name: string } & (
  | { readonly connections: Pick<AttackSettings, 'commands' | 'atOnce'> & Partial<AttackSettings> }
  | { readonly requests: Pick<RequestsSettings, 'text' | 'connections'> }
);

export interface Attackers {
  readonly seconds: number;
  /** By default that of everybody else here. */
  readonly localAddress?: string;
}

export interface Attacked {
  /** Connections or requests. */
  readonly count: number;
  /** By close code, error or status: how often. */
  readonly got: Readonly<Record<string, number>>;
}

/** Resolves when the time is over. */
export async function carryOut({ attacker, flooder, node }: AttackedNode, attack: Attack, attackers: Attackers): Promise<Attacked> {
  if ('requests' in attack) {
    const settings = { ...attack.requests, ...attackers, port: node.port, reads: true, endsEarly: true };
    const { requests: count, statuses: got } = await flooder.requests(settings);
    return { count, got };
  }
  const {
    connections: count,
    closeCodes,
    errors,
  } = await attacker.attack({
    reads: true,
    ...attack.connections,
    ...attackers,
    ports: [node.port],
  });
  return { count, got: { ...closeCodes, ...errors } };
}
