import { randomInt } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Config } from '../config/schema.ts';
import { userTopicOf } from '../protocol/user-topic.ts';
import { DEMO_KEY_ID, VISITOR_PERMISSIONS } from './chat-settings.ts';

const PATH = '/chat/token';

const LIFE_MS = 86_400_000;
const NAME_CHARACTERS_MAX = 24;
/** Letters and digits of any script, single spaces and some punctuation inside. */
const NAME = /^[\p{L}\p{M}\p{N}]+(?:[ ._'-][\p{L}\p{M}\p{N}]+)*$/u;
/** Without letters and digits that look alike. */
const SUFFIX_ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';
const SUFFIX_CHARACTERS = 4;
/** Of one worker. Nothing is kept of a token, so this bounds only the CPU that strangers can use. */
const TOKENS_PER_SECOND_MAX = 20;

/** A response to a plain HTTP request. */
export interface VisitorAnswer {
  readonly status: string;
  readonly contentType: string;
  readonly body: string;
}

/**
 * Tokens for the visitors of the chat page, who choose a name. The user is the name and a random suffix, so that two visitors with the same name are two users,
 * and nobody can get the token of another one. In an application, the backend does this, for users who have logged in.
 */
export class VisitorTokens {
  readonly #secret: Uint8Array;
  readonly #auth: Pick<Config['auth'], 'issuer' | 'audience'>;
  readonly #nowMs: () => number;
  #second = 0;
  #given = 0;

  /** @param secret of the demo's own key */
  constructor(secret: string, auth: Pick<Config['auth'], 'issuer' | 'audience'>, nowMs = Date.now) {
    this.#secret = new TextEncoder().encode(secret);
    this.#auth = auth;
    this.#nowMs = nowMs;
  }

  /**
   * @param query of the request, undefined if it has none
   * @returns `{ token, user }`, or `{ error: { code, message } }` with `bad_name` or `too_many_requests`
   */
  async answer(query = ''): Promise<VisitorAnswer> {
    const name = new URLSearchParams(query).get('name')?.normalize('NFC').trim() ?? '';
    if (name.length > NAME_CHARACTERS_MAX || !NAME.test(name))
      return refusal(
        '400 Bad Request',
        'bad_name',
        `a name has 1 to ${NAME_CHARACTERS_MAX} letters and digits, with single spaces, . _ ' - inside`,
      );
    const user = `${name}-${suffix()}`;
    // Letters outside ASCII take several characters of a topic each.
    if (userTopicOf(user) === undefined) return refusal('400 Bad Request', 'bad_name', 'the name is too long to be part of a topic');
    if (!this.#mayGive()) return refusal('429 Too Many Requests', 'too_many_requests', 'too many people choose a name at the moment');
    return { status: '200 OK', ...json({ token: await this.#sign(user), user }) };
  }

  #mayGive(): boolean {
    const second = Math.floor(this.#nowMs() / 1000);
    if (second !== this.#second) this.#given = 0;
    this.#second = second;
    return ++this.#given <= TOKENS_PER_SECOND_MAX;
  }

  #sign(user: string): Promise<string> {
    const { issuer, audience } = this.#auth;
    const nowMs = this.#nowMs();
    const jwt = new SignJWT({ stentor: VISITOR_PERMISSIONS })
      .setProtectedHeader({ alg: 'HS256', kid: DEMO_KEY_ID })
      .setSubject(user)
      .setIssuedAt(Math.floor(nowMs / 1000))
      .setExpirationTime(Math.floor((nowMs + LIFE_MS) / 1000));
    if (issuer !== '') jwt.setIssuer(issuer);
    if (audience !== '') jwt.setAudience(audience);
    return jwt.sign(this.#secret);
  }
}

/** `GET /chat/token?name=Ann` */
export function visitorTokenPage(
  secret: string,
  auth: Config['auth'],
): { readonly path: string; answer(query?: string): Promise<VisitorAnswer> } {
  const tokens = new VisitorTokens(secret, auth);
  return { path: PATH, answer: (query) => tokens.answer(query) };
}

function suffix(): string {
  return Array.from({ length: SUFFIX_CHARACTERS }, () => SUFFIX_ALPHABET[randomInt(SUFFIX_ALPHABET.length)]).join('');
}

function refusal(status: string, code: string, message: string): VisitorAnswer {
  return { status, ...json({ error: { code, message } }) };
}

function json(body: object): Omit<VisitorAnswer, 'status'> {
  return { contentType: 'application/json', body: JSON.stringify(body) };
}
