import { pathToFileURL } from 'node:url';
import type { Config } from '../../config/schema.ts';
import type { ConnectionHooks, NamespaceHooks } from '../../hooks/types.ts';

/** The hooks in code: those of connections, and those of each namespace that has any. */
export interface HookModules {
  readonly connections: ConnectionHooks;
  readonly namespaces: ReadonlyMap<string, NamespaceHooks>;
}

const OF_CONNECTIONS = ['connect', 'disconnect'];
const OF_NAMESPACES = ['subscribe', 'publish'];

/** Loads every `hooks.module`. @throws Error with the code `hook_module_failed` */
export async function loadHookModules({ hooks, namespaces }: Pick<Config, 'hooks' | 'namespaces'>): Promise<HookModules> {
  const connections = hooks.module === '' ? {} : await load('hooks.module', hooks.module, OF_CONNECTIONS, OF_NAMESPACES);
  const all = new Map<string, NamespaceHooks>();
  for (const [name, options] of Object.entries(namespaces)) {
    const file = options.hooks.module;
    if (file !== '') all.set(name, await load(`namespaces.${name}.hooks.module`, file, OF_NAMESPACES, OF_CONNECTIONS));
  }
  return { connections, namespaces: all };
}

/** @param misplaced names of hooks that belong in the other kind of module. The module may not export them, because they would never be asked */
async function load(setting: string, file: string, names: readonly string[], misplaced: readonly string[]): Promise<object> {
  const exports = await imported(setting, file);
  const wrong = misplaced.find((name) => name in exports);
  if (wrong !== undefined) {
    const where = misplaced === OF_CONNECTIONS ? 'hooks.module' : 'namespaces.<name>.hooks.module';
    throw failure(`${setting} (${file}) exports ${wrong}, which belongs in ${where}`);
  }
  const hooks = names.filter((name) => name in exports);
  if (hooks.length === 0) throw failure(`${setting} (${file}) exports none of ${names.join(', ')}`);
  const odd = hooks.find((name) => typeof exports[name] !== 'function');
  if (odd !== undefined) throw failure(`${setting} (${file}) exports ${odd}, but not as a function`);
  return exports;
}

async function imported(setting: string, file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await import(/* @vite-ignore */ pathToFileURL(file).href);
  } catch (cause) {
    throw failure(`${setting} (${file}) cannot be loaded: ${(cause as Error).message}`, cause);
  }
}

function failure(message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code: 'hook_module_failed' });
}
