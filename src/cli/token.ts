import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import type { Config } from '../config/schema.ts';
import { USER_NAMESPACE, userTopicOf } from '../protocol/user-topic.ts';
import { parseDuration } from './duration.ts';
import { badValue, CliError, usageError } from './errors.ts';
import { type Algorithm, assertPattern, makeToken } from './make-token.ts';
import { addConfigOptions, type ConfigOptions, loadFromOptions } from './options.ts';
import { note, print } from './output.ts';

const SECRET_CHARACTERS_MIN = 32;

export interface TokenOptions extends ConfigOptions {
  readonly secret?: string;
  readonly keyFile?: string;
  readonly alg?: Algorithm;
  readonly kid?: string;
  readonly sub: string;
  readonly expires: string;
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
  readonly call?: readonly string[];
  readonly issuer?: string;
  readonly audience?: string;
}

export function tokenCommand(): Command {
  const command = new Command('token')
    .description('create a token for development')
    .option('--secret <secret>', `HS256 secret, ${SECRET_CHARACTERS_MIN} characters at least (default: the first HS256 key of the config)`)
    .option('--key-file <file>', 'private key in PEM (PKCS#8), for RS256, ES256 and EdDSA')
    .addOption(new Option('--alg <alg>', 'algorithm (default: the algorithm of the key)').choices(['HS256', 'RS256', 'ES256', 'EdDSA']))
    .option('--kid <id>', 'key id (`kid`) for the header')
    .option('--sub <user>', 'the user', 'dev')
    .option('--expires <duration>', 'how long the token is valid: 30m, 1h, 7d', '1h')
    .option('--subscribe <pattern...>', 'topics it may subscribe to')
    .option('--publish <pattern...>', 'topics it may publish to')
    .option('--call <pattern...>', 'methods it may call')
    .option('--issuer <iss>', 'issuer (default: auth.issuer of the config)')
    .option('--audience <aud>', 'audience (default: auth.audience of the config)');
  return addConfigOptions(command)
    .action(async (options: TokenOptions) => {
      print(await tokenFor(options));
      noteTopicOf(options.sub);
    })
    .addHelpText(
      'after',
      `
In a pattern, * is one token, and > at the end is one or more.
If the topic of the user has escapes, it is printed to stderr: see \`stentor key --user\`.

Examples:
  $ stentor token --config stentor.yaml --sub alice --subscribe 'scores.>' --publish 'chat.*'
  $ stentor token --key-file private.pem --kid 2026-01 --sub alice --expires 7d --subscribe '>'`,
    );
}

/** @throws CliError `usage`, `bad_key_file`; ConfigError */
export async function tokenFor(options: TokenOptions): Promise<string> {
  // With a key on the command line no config is needed. If a config is given, its issuer and audience are used.
  const wantsConfig = options.config !== undefined || options.set !== undefined || (options.secret ?? options.keyFile) === undefined;
  const config = wantsConfig ? (await loadFromOptions(options)).config : undefined;
  const { key, alg, kid } = signingKey(options, config);
  if (options.alg !== undefined && options.alg !== alg) throw badValue('--alg', options.alg, `expected ${alg}, for which the key is`);
  const request = {
    key,
    alg,
    kid: options.kid ?? kid,
    sub: options.sub,
    expiresInMs: parseDuration('--expires', options.expires),
    subscribe: (options.subscribe ?? []).map(assertPattern),
    publish: (options.publish ?? []).map(assertPattern),
    call: (options.call ?? []).map(assertPattern),
    issuer: options.issuer ?? config?.auth.issuer,
    audience: options.audience ?? config?.auth.audience,
  };
  return makeToken(request, Date.now());
}

/** A user with characters that a topic does not take has a topic that nobody can guess. */
function noteTopicOf(user: string): void {
  const topic = userTopicOf(user);
  if (topic === undefined) note('this user has no topic: with its escapes it would be longer than 64 characters');
  else if (topic !== `${USER_NAMESPACE}.${user}`) note(`the topic of this user: ${topic}`);
}

interface SigningKey {
  readonly key: string | KeyObject;
  readonly alg: Algorithm;
  readonly kid?: string | undefined;
}

function signingKey({ secret, keyFile }: TokenOptions, config: Config | undefined): SigningKey {
  if (secret !== undefined && keyFile !== undefined) throw usageError('expected one of --secret and --key-file, not both');
  if (secret !== undefined) {
    if (secret.length < SECRET_CHARACTERS_MIN) throw usageError(`--secret: expected at least ${SECRET_CHARACTERS_MIN} characters`);
    return { key: secret, alg: 'HS256' };
  }
  if (keyFile !== undefined) return fromFile(keyFile);
  const configured = config?.auth.keys.find((key) => key.alg === 'HS256');
  if (configured?.secret === undefined) throw usageError('expected --secret, --key-file, or a config with an HS256 key');
  return { key: configured.secret, alg: 'HS256', kid: configured.kid };
}

function fromFile(path: string): SigningKey {
  try {
    const key = createPrivateKey(readFileSync(path));
    return { key, alg: algorithmOf(key) };
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new CliError('bad_key_file', `${path}: ${code === 'ENOENT' ? 'no such file' : `not a private key in PEM (${message})`}`, 2, {
      cause,
    });
  }
}

function algorithmOf(key: KeyObject): Algorithm {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'rsa') return 'RS256';
  if (type === 'ed25519') return 'EdDSA';
  if (type === 'ec' && details?.namedCurve === 'prime256v1') return 'ES256';
  throw new CliError(
    'bad_key_file',
    `a ${type} key${details?.namedCurve ? ` on ${details.namedCurve}` : ''} matches none of RS256, ES256 (P-256), EdDSA (Ed25519)`,
    2,
  );
}
