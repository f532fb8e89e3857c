import { createRequire } from 'node:module';
import type { AppOptions, HttpRequest, HttpResponse, TemplatedApp, us_listen_socket, us_socket_context_t, WebSocket } from 'uws-pack';
import { assertKnownBinary } from './uws-binary.ts';

/**
 * The only file that loads uWebSockets.js. It is not on npm under its own name. These are tried in order, and the first that loads on this Node and this C
 * library is used:
 *
 * 1. `uWebSockets.js`, installed by hand from its GitHub releases: always the newest;
 * 2. `@btc-vision/uwebsockets.js` 20.57: Node 20–25, glibc ≥ 2.38;
 * 3. `uws-pack` (upstream's 20.49): Node 20 and 22, glibc ≥ 2.27.
 */
const CANDIDATES = ['uWebSockets.js', '@btc-vision/uwebsockets.js', 'uws-pack'];

export type { AppOptions as TlsFiles, HttpRequest, HttpResponse, TemplatedApp as UwsApp };
export type ListenSocket = us_listen_socket;
export type UpgradeContext = us_socket_context_t;
export type Socket<UserData> = WebSocket<UserData>;

export interface Uws {
  /** The package it was loaded from. */
  readonly source: string;
  App(): TemplatedApp;
  /** @throws Error if a file cannot be used */
  SSLApp(files: AppOptions): TemplatedApp;
  closeListenSocket(socket: ListenSocket): void;
  localPort(socket: ListenSocket): number;
  /** Listen option: no SO_REUSEPORT, so that no other process can share the port. */
  readonly exclusivePort: number;
}

/** No build of uWebSockets.js loads here. */
export class UwsUnavailableError extends Error {
  readonly code = 'uws_unavailable';
}

export interface LoadOptions {
  /** Maximum bytes of headers in a request. A process loads uWebSockets.js once, so the first call decides. Default: uWebSockets' own, 4096. */
  readonly headerBytesMax?: number;
  readonly candidates?: readonly string[];
  /** SHA-256 of binaries, by package and path. Default: those that this version was made with. */
  readonly checksums?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** @throws UwsUnavailableError that says what was tried, why each failed, and what to do */
export async function loadUws({ headerBytesMax, candidates = CANDIDATES, checksums }: LoadOptions = {}): Promise<Uws> {
  // uWebSockets asks getenv() when its native module loads; Node passes what is set here on to setenv().
  // biome-ignore lint/style/noProcessEnv: the one way to tell uWebSockets
  if (headerBytesMax !== undefined) process.env.UWS_HTTP_MAX_HEADERS_SIZE = String(headerBytesMax);
  const failures: string[] = [];
  for (const source of candidates) {
    try {
      assertKnownBinary(source, checksums);
      const loaded = await loadBuild(source);
      const uws = loaded.App === undefined ? loaded.default : loaded;
      return {
        source,
        App: () => uws.App(),
        SSLApp: (files) => uws.SSLApp(files),
        closeListenSocket: (socket) => uws.us_listen_socket_close(socket),
        localPort: (socket) => uws.us_socket_local_port(socket),
        exclusivePort: uws.LIBUS_LISTEN_EXCLUSIVE_PORT,
      };
    } catch (error) {
      failures.push(`  ${source}: ${reasonOf(error as NodeJS.ErrnoException)}`);
    }
  }
  throw new UwsUnavailableError(
    [
      `no build of uWebSockets.js loads on Node ${process.version}, ${process.platform} ${process.arch}. Tried:`,
      ...failures,
      'With glibc 2.38 or newer (Debian 13, Ubuntu 24.04) Node 20 to 25 work; with an older one use Node 20 or 22.',
      'Alpine (musl) is not supported by uWebSockets.js. A build of your own: npm install uWebSockets.js@uNetworking/uWebSockets.js#v20.57.0',
    ].join('\n'),
  );
}

const require = createRequire(import.meta.url);

/** Uses require where possible: on Node 20, `import()` of a CommonJS build that throws while it loads rejects, and also ends the process. */
// biome-ignore lint/suspicious/noExplicitAny: the builds share no types
async function loadBuild(source: string): Promise<any> {
  try {
    return require(source);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error;
    return import(source);
  }
}

function reasonOf(error: NodeJS.ErrnoException): string {
  const missing = error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND';
  // An installed package may still lack the binary for this Node: then the missing module is a file.
  if (missing && !error.message.includes(".node'")) return 'not installed';
  const lines = error.message
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('- ') && !line.startsWith('Require stack'));
  return lines.find((line) => line.includes('GLIBC')) ?? (missing ? 'has no binary for this Node' : (lines.at(-1) ?? 'failed'));
}
