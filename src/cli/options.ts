import { type Command, Option } from 'commander';
import type { LoadedConfig } from '../config/load.ts';
import type { Encoding } from '../protocol/codec.ts';
import { TIME_MS_MAX } from '../protocol/time-range.ts';
import { isKey, isTopic, type Key, parseKey, parseTopic, type Topic } from '../protocol/topic.ts';
import { badValue } from './errors.ts';
import { parseTimeMs } from './replay/time.ts';

export const DEFAULT_URL = 'ws://localhost:8080/ws';

/** Text of `--create`, for the commands that publish. */
export const CREATE_TEXT = 'over NATS: create the stream of the namespace, as configured, if it is missing';

export interface ConfigOptions {
  readonly config?: string;
  readonly set?: readonly string[];
  readonly natsUrl?: string;
}

export interface NodeOptions {
  /** Undefined: that of the config. */
  readonly url?: string;
  readonly token?: string;
  readonly encoding: Encoding;
}

/** Options that determine the configuration. */
export function addConfigOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'YAML or JSON config file (default: the file in STENTOR_CONFIG)')
    .option('--set <path=value>', 'set any setting, for example --set nats.streamReplicas=3; repeatable', listed)
    .option('--nats-url <url>', 'same as --set nats.url=<url>');
}

/** Options to reach a running node. @param hasConfig the command has the options of a config too */
export function addNodeOptions(command: Command, hasConfig: boolean): Command {
  const byDefault = hasConfig ? 'host, port and path of the config' : DEFAULT_URL;
  return command
    .option('--url <url>', `WebSocket endpoint of a running node (default: ${byDefault})`)
    .option('--token <jwt>', 'token for that node (see `stentor token`)')
    .addOption(new Option('--encoding <encoding>', 'encoding of the connection').choices(['msgpack', 'json']).default('msgpack'));
}

/**
 * @param flags config paths that other options stand for
 * @throws ConfigError, CliError `usage`
 */
export async function loadFromOptions(
  options: ConfigOptions,
  flags: Readonly<Record<string, unknown>> = {},
  base: Readonly<Record<string, unknown>> = {},
): Promise<LoadedConfig> {
  // Loaded here, because TypeBox takes 0.3 s, and commands without a config need not wait for it.
  const { loadConfig } = await import('../config/load.ts');
  const named = { ...flags, 'nats.url': options.natsUrl };
  return loadConfig({ file: options.config, flags: { ...named, ...parseSettings(options.set ?? []) }, base });
}

/** `['a.b=c']` → `{ 'a.b': 'c' }`. @throws CliError `usage` */
export function parseSettings(settings: readonly string[]): Record<string, string> {
  const parsed: Record<string, string> = Object.create(null);
  for (const setting of settings) {
    const [path, value] = nameAndText('--set', setting, 'path=value');
    parsed[path] = value;
  }
  return parsed;
}

/** For an option that may be given several times. */
export function listed(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** `league=epl`. @param option its name. @param form for people. @throws CliError `usage` */
export function nameAndText(option: string, text: string, form = 'name=text'): [name: string, text: string] {
  const at = text.indexOf('=');
  if (at < 1) throw badValue(option, text, `expected ${form}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** @throws CliError `usage` */
export function topicArgument(text: string, name = 'topic'): Topic {
  if (isTopic(text)) return text;
  throw asUsage(() => parseTopic(text), name, text);
}

/** @throws CliError `usage` */
export function keyArgument(text: string): Key {
  if (isKey(text)) return text;
  throw asUsage(() => parseKey(text), '--key', text);
}

/** @param name of the option. @throws CliError `usage` */
export function positiveNumber(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0) throw badValue(name, text, 'expected a number above 0');
  return value;
}

/** @param name of the option. @throws CliError `usage` */
export function positiveInteger(name: string, text: string): number {
  const value = positiveNumber(name, text);
  if (!Number.isSafeInteger(value)) throw badValue(name, text, 'expected a whole number');
  return value;
}

/** @param name of the option. @throws CliError `usage` */
export function numberUpTo(name: string, text: string, max: number): number {
  const value = positiveNumber(name, text);
  if (value > max) throw badValue(name, text, `expected at most ${max}`);
  return value;
}

/** @param name of the option. @throws CliError `usage` */
export function integerUpTo(name: string, text: string, max: number): number {
  const value = positiveInteger(name, text);
  if (value > max) throw badValue(name, text, `expected at most ${max}`);
  return value;
}

/** Milliseconds since 1970, or a date with a time; without a zone it is UTC. @param name of the option. @throws CliError `usage` */
export function timeOption(name: string, text: string): number {
  const timeMs = Math.ceil(parseTimeMs(text) ?? Number.NaN);
  if (timeMs >= 0 && timeMs <= TIME_MS_MAX) return timeMs;
  throw badValue(name, text, 'expected milliseconds since 1970, or a time such as 2026-03-01T12:00:00Z');
}

function asUsage(parse: () => unknown, name: string, text: string): Error {
  try {
    parse();
  } catch (error) {
    return badValue(name, text, (error as Error).message);
  }
  return badValue(name, text, 'cannot be used');
}
