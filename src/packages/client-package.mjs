import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleClient } from './bundle-client.mjs';
import { moveDocument } from './docs.mjs';
import { bundledLicenses } from './licenses.mjs';
import { messageTypes } from './message-types.mjs';

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g;
/** Files of src/client that programs import, besides the index: `@stentor-broadcast/client/events`. */
export const FURTHER_ENTRIES = ['calls', 'compression', 'document', 'events', 'keys', 'presence', 'sse', 'users'];
/** Generated from the schemas: the compiler's declarations, and those that they import, are in terms of the schema library. */
const MESSAGE_TYPES = 'dist/protocol/messages.d.ts';
const DOCUMENTS = {
  'src/client/README.md': 'README.md',
  'src/client/MIGRATION.md': 'MIGRATION.md',
  'src/protocol/PROTOCOL.md': 'PROTOCOL.md',
};

/**
 * Creates the SDK's package in `dist/packages/client`: the compiled files that the SDK loads, their sources for the source maps, the single file for pages
 * without a bundler, the documents, the licences, and a manifest. The server's package has 250 MB, which pages do not need.
 *
 * @param {string} root the repository
 * @returns {Promise<string>} its size, for display
 */
export async function makeClientPackage(root) {
  const to = join(root, 'dist/packages/client');
  const write = (path, content) => {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    writeFileSync(join(to, path), content);
  };
  const copy = (path) => cpSync(join(root, path), join(to, path), { recursive: true });

  for (const entry of ['index', ...FURTHER_ENTRIES]) {
    for (const path of reachable(root, `dist/client/${entry}.js`, (path) => path)) {
      for (const file of [path, `${path}.map`, path.replace('dist/', 'src/').replace(/\.js$/, '.ts')]) copy(file);
    }
    for (const path of reachable(root, `dist/client/${entry}.d.ts`, (path) => path.replace(/\.js$/, '.d.ts'), MESSAGE_TYPES)) copy(path);
  }
  write(MESSAGE_TYPES, messageTypes(await import(pathToFileURL(join(root, 'dist/protocol/messages.js')).href)));

  const { code, sourceMap, gzippedBytes, metafile } = await bundleClient();
  const own = await bundleClient(['msgpackr/*']);
  write('stentor.min.js', code);
  write('stentor.min.js.map', sourceMap);
  write('stentor.min.d.ts', "export * from './dist/client/index.js';\n");
  write('THIRD-PARTY-LICENSES.txt', bundledLicenses(process.cwd(), [metafile]));
  copy('LICENSE');

  const place = (file) => {
    if (DOCUMENTS[file] !== undefined) return DOCUMENTS[file];
    if (!/^src\/(client|protocol)\//.test(file) || !existsSync(join(root, file)))
      throw new Error(`a document of the SDK links to ${file}, which is not in its package`);
    copy(file);
    return file;
  };
  for (const [from, path] of Object.entries(DOCUMENTS))
    write(path, moveDocument(readFileSync(join(root, from), 'utf8'), from, path, place));
  write('package.json', `${JSON.stringify(manifest(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))), undefined, 2)}\n`);
  return `stentor.min.js: ${gzippedBytes} bytes gzipped (${code.length} uncompressed), ${own.gzippedBytes} (${own.code.length}) without the MessagePack library`;
}

/** All our files that a compiled file imports, including itself; paths from the root. What `leaf` imports is left out. */
function reachable(root, entry, toFile, leaf) {
  const found = new Set([entry]);
  for (const path of found) {
    if (path === leaf) continue;
    const text = readFileSync(join(root, path), 'utf8');
    for (const [, name] of text.matchAll(IMPORT)) if (name.startsWith('.')) found.add(toFile(posix.join(posix.dirname(path), name)));
  }
  return found;
}

/** What both packages have in common comes from the server's manifest. */
function manifest({ version, license, engines, repository, homepage, bugs, dependencies, devDependencies, ...server }) {
  return {
    name: '@stentor-broadcast/client',
    version,
    description:
      'SDK of Stentor, for browsers and Node: live feeds over WebSockets, in order, none missing, none twice, through reconnects.',
    keywords: ['stentor', 'websocket', 'realtime', 'pubsub', 'broadcast', 'reconnect', 'recovery', 'messagepack', 'client', 'browser'],
    license,
    homepage,
    repository: { ...repository, directory: 'src/client' },
    bugs,
    type: 'module',
    engines,
    sideEffects: false,
    main: './dist/client/index.js',
    types: './dist/client/index.d.ts',
    unpkg: './stentor.min.js',
    jsdelivr: './stentor.min.js',
    exports: {
      '.': { types: './dist/client/index.d.ts', default: './dist/client/index.js' },
      ...perEntry((entry) => [`./${entry}`, { types: `./dist/client/${entry}.d.ts`, default: `./dist/client/${entry}.js` }]),
      './stentor.min.js': { types: './stentor.min.d.ts', default: './stentor.min.js' },
      './package.json': './package.json',
    },
    typesVersions: { '*': perEntry((entry) => [entry, [`./dist/client/${entry}.d.ts`]]) },
    files: ['dist', 'src', 'stentor.min.*', 'MIGRATION.md', 'PROTOCOL.md', 'THIRD-PARTY-LICENSES.txt'],
    dependencies: { msgpackr: dependencies.msgpackr },
    // Node 20 has no WebSocket of its own; browsers never load it.
    peerDependencies: { ws: '^8.0.0' },
    peerDependenciesMeta: { ws: { optional: true } },
    publishConfig: server.publishConfig,
  };
}

function perEntry(toProperty) {
  return Object.fromEntries(FURTHER_ENTRIES.map(toProperty));
}
