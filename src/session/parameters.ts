import { ProtocolError } from '../protocol/errors.ts';

export interface KnownParameters {
  /** Of these, any number. */
  readonly many?: readonly string[];
  /** Of each of these one, at most. */
  readonly one?: readonly string[];
}

/** `token` is read where the connection is accepted. `_` is what some libraries add to get past caches. */
const EVERYWHERE: readonly string[] = ['token', '_'];
/** Of a name that a client sent, in the answer. */
const QUOTED_LENGTH_MAX = 40;

/**
 * The parameters of a client's request. Unknown ones are refused: `topics=` instead of `topic=` would subscribe to nothing, and say nothing.
 *
 * @returns without `token` and `_`
 * @throws ProtocolError `bad_message` that names the parameter
 */
export function readParameters(query: string, { many = [], one = [] }: KnownParameters): URLSearchParams {
  const parameters = new URLSearchParams(query);
  for (const name of EVERYWHERE) parameters.delete(name);
  for (const name of new Set(parameters.keys())) {
    if (many.includes(name)) continue;
    if (!one.includes(name)) throw new ProtocolError('bad_message', `unknown parameter ${quoted(name)}; ${knownAre([...many, ...one])}`);
    if (parameters.getAll(name).length > 1) throw new ProtocolError('bad_message', `${name}: expected once`);
  }
  return parameters;
}

/** For the text of an error. */
export function quoted(name: string): string {
  return JSON.stringify(name.slice(0, QUOTED_LENGTH_MAX));
}

export function knownAre(names: readonly string[]): string {
  return names.length === 0 ? 'this request has none' : `known are ${names.join(', ')}`;
}
