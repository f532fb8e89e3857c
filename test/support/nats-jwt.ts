import { createHash } from 'node:crypto';
import { nkeys } from '@nats-io/transport-node';

/** A nats-server that takes users whose JWTs an operator's account has signed, and what makes such users. */
export interface NatsOperator {
  /** For the server's configuration file. */
  readonly config: string;
  /** Text of a .creds file. @param expiresInMs negative: expired already */
  creds(expiresInMs: number): string;
}

type KeyPair = ReturnType<typeof nkeys.createUser>;

const UNLIMITED = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
const JETSTREAM = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };

export function makeOperator(): NatsOperator {
  const operator = nkeys.createOperator();
  const system = nkeys.createAccount();
  const account = nkeys.createAccount();
  const accountJwt = (of: KeyPair, limits: object) => jwt(operator, of, 'account', { limits, default_permissions: { pub: {}, sub: {} } });
  return {
    config: [
      `operator: ${jwt(operator, operator, 'operator', {})}`,
      `system_account: ${system.getPublicKey()}`,
      'resolver: MEMORY',
      'resolver_preload: {',
      `  ${system.getPublicKey()}: ${accountJwt(system, UNLIMITED)}`,
      `  ${account.getPublicKey()}: ${accountJwt(account, { ...UNLIMITED, ...JETSTREAM })}`,
      '}',
    ].join('\n'),
    creds(expiresInMs) {
      const user = nkeys.createUser();
      const claims = { pub: {}, sub: {}, subs: -1, data: -1, payload: -1 };
      const token = jwt(account, user, 'user', claims, Math.floor((Date.now() + expiresInMs) / 1000));
      const seed = Buffer.from(user.getSeed()).toString();
      return `-----BEGIN NATS USER JWT-----\n${token}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;
    },
  };
}

function jwt(issuer: KeyPair, subject: KeyPair, type: 'operator' | 'account' | 'user', nats: object, exp?: number): string {
  const claims = {
    iat: Math.floor(Date.now() / 1000) - 60,
    iss: issuer.getPublicKey(),
    sub: subject.getPublicKey(),
    name: type,
    ...(exp !== undefined && { exp }),
    nats: { ...nats, type, version: 2 },
  };
  const jti = createHash('sha256').update(JSON.stringify(claims)).digest('hex');
  const signed = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part({ jti, ...claims })}`;
  return `${signed}.${Buffer.from(issuer.sign(Buffer.from(signed))).toString('base64url')}`;
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
