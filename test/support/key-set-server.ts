import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair, type JWK, type JWTPayload } from 'jose';
import { freePort } from './free-port.ts';
import { sign } from './tokens.ts';

/** A real HTTP server of a JSON Web Key Set. */
export class KeySetServer {
  keys: readonly JWK[];
  /** Requests so far. */
  fetches = 0;
  /** Answers instead of the key set. */
  answer: ((response: ServerResponse) => void) | undefined;
  #server: Server | undefined;
  readonly #port: number;

  private constructor(keys: readonly JWK[], port: number) {
    this.keys = keys;
    this.#port = port;
  }

  static async start(...keys: readonly JWK[]): Promise<KeySetServer> {
    const server = new KeySetServer(keys, freePort());
    await server.restart();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/.well-known/jwks.json`;
  }

  /** Listens, again on the port that it had. */
  async restart(): Promise<void> {
    this.#server = createServer((_, response) => {
      this.fetches++;
      if (this.answer !== undefined) return this.answer(response);
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ keys: this.keys }));
    });
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
}

export interface SigningPair {
  /** The public key as an entry of a key set: with `alg` and `use`, and with the `kid` if there is one. */
  readonly jwk: JWK;
  /** A token signed with the private key: alice's, for ten minutes. The header names the pair's `kid` unless told otherwise. */
  token(claims?: JWTPayload, header?: { readonly kid?: string }): Promise<string>;
}

export async function signingPair(alg: string, kid?: string): Promise<SigningPair> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const named = kid === undefined ? {} : { kid };
  return {
    jwk: { ...(await exportJWK(publicKey)), ...named, alg, use: 'sig' },
    token: (claims = {}, header = named) => sign({ sub: 'alice', exp: Date.now() / 1000 + 600, ...claims }, privateKey, { alg, ...header }),
  };
}
