import { randomBytes } from 'node:crypto';
import { basename, relative } from 'node:path';
import type { LoadedConfig } from '../config/load.ts';
import { namespaceOptions } from '../config/namespaces.ts';
import type { Config } from '../config/schema.ts';
import { DEMO_KEY_ID, DEMO_NAMESPACES, offersChat } from '../demo/chat-settings.ts';
import { SCORES_TOPIC, TICKS_TOPIC } from '../demo/topics.ts';
import { namespaceOf, parseTopic } from '../protocol/topic.ts';
import { CliError } from './errors.ts';
import { makeToken } from './make-token.ts';

const ONE_DAY_MS = 86_400_000;

/** A demo node's config, and what was created for it, if no auth key is configured. */
export interface DemoSettings {
  readonly loaded: LoadedConfig;
  /** May subscribe and publish to everything. */
  readonly token?: string;
  /** The key that the chat page's visitors get tokens with. Absent also where the operator's namespaces do not suit. */
  readonly visitorSecret?: string;
}

type Load = (flags: Readonly<Record<string, unknown>>, base: Readonly<Record<string, unknown>>) => Promise<LoadedConfig>;

/**
 * The config of a demo node: on loopback and with readable logs, unless set otherwise. If no auth key is configured, it creates one for the lifetime of the
 * process, and a token signed with it, so that the printed `publish` line works.
 */
export async function demoSettings(load: Load): Promise<DemoSettings> {
  const base = { host: '127.0.0.1', 'log.pretty': true, namespaces: DEMO_NAMESPACES };
  const loaded = await load({}, base);
  assertDemoTopics(loaded.config);
  const { auth } = loaded.config;
  if (auth.keys.length > 0 || auth.jwksUrl !== '') return { loaded };
  const secret = randomBytes(32).toString('base64url');
  const token = await makeToken(
    {
      key: secret,
      alg: 'HS256',
      kid: DEMO_KEY_ID,
      sub: 'demo',
      expiresInMs: ONE_DAY_MS,
      subscribe: ['>'],
      publish: ['>'],
      call: [],
      issuer: auth.issuer,
      audience: auth.audience,
    },
    Date.now(),
  );
  const withKey = await load({ 'auth.keys': [{ kid: DEMO_KEY_ID, alg: 'HS256', secret }] }, base);
  return { loaded: withKey, token, ...(offersChat(withKey.config) && { visitorSecret: secret }) };
}

function assertDemoTopics(config: Config): void {
  const [scores, ticks] = [SCORES_TOPIC, TICKS_TOPIC].map((topic) => namespaceOptions(config, namespaceOf(parseTopic(topic))));
  if (scores?.public && scores.state === 'last' && ticks?.public && ticks.state === 'keyed') return;
  throw new CliError('bad_config', 'the demo needs the namespaces scores (public) and ticks (public, keyed), as they are built in', 2);
}

/** Prints what to try next, as lines that can be copied and pasted. */
export function demoInvitation(
  config: Config,
  { port, adminPort }: { readonly port: number; readonly adminPort: number },
  { token, visitorSecret }: Pick<DemoSettings, 'token' | 'visitorSecret'>,
  argv1 = process.argv[1] ?? '',
): string {
  const stentor = commandLine(argv1);
  const socket = `ws://localhost:${port}${config.path}`;
  const elsewhere = port === 8080 && config.path === '/ws' ? '' : ` --url ${socket}`;
  const chat = Object.entries(config.namespaces).find(([, options]) => options.clientPublish && options.state !== 'keyed')?.[0];
  const lines = [
    'Stentor is running a demo; its data is fictional. Try:',
    '',
    `  the page           http://localhost:${port}/`,
    ...(visitorSecret === undefined ? [] : [`  the chat sample    http://localhost:${port}/chat`]),
    `  for operators      http://localhost:${adminPort}/`,
    `  any client         npx wscat -c ${socket}`,
    `                     then type  {"type":"subscribe","id":1,"topic":"${SCORES_TOPIC}"}`,
    `  the command line   ${stentor} subscribe ${TICKS_TOPIC} --snapshot${elsewhere}`,
  ];
  if (chat !== undefined && token !== undefined) {
    lines.push(
      `  publish            ${stentor} publish ${chat}.demo '{"event":"message","data":{"text":"hi"}}'${elsewhere} --token ${token}`,
    );
    lines.push(`and watch it         ${stentor} subscribe ${chat}.demo${elsewhere} --token ${token}`);
  }
  if (config.host === '127.0.0.1') lines.push('  other machines     only with  --set host=0.0.0.0');
  lines.push(
    config.nats.url === ''
      ? `  with NATS          ${stentor} serve --demo --nats-url nats://localhost:4222   (or set STENTOR_NATS_URL)`
      : `  from NATS          nats pub feed.${SCORES_TOPIC} '{"text":"from NATS"}'`,
    '',
  );
  return lines.join('\n');
}

/** How this program was started, so that the printed lines work as they are: `stentor`, or `node dist/cli/main.js`. */
function commandLine(argv1: string): string {
  const [, extension] = /\.([cm]?[jt]s)$/.exec(basename(argv1)) ?? [];
  if (extension === undefined) return 'stentor';
  return `${extension === 'ts' ? 'npx tsx' : 'node'} ${relative(process.cwd(), argv1) || argv1}`;
}
