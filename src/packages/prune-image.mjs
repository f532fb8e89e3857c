/**
 * Removes from /app what a running node does not load, when the image is built. uWebSockets.js contains a build for every platform and Node version (247 MB in
 * both packages): only the one that loads here stays.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const UWS_PACKAGES = ['@btc-vision/uwebsockets.js', 'uws-pack'];
/** Types and source maps are for people who build with the package. */
const NOT_RUN = /\.(map|md|markdown|[cm]?ts)$/i;
const BINARY = /\.node$/;

// The built files, not the sources: this runs in the image, from its root.
const { loadUws } = await import(pathToFileURL(join('dist', 'transport', 'uws.js')).href);
const { source } = await loadUws();
for (const name of UWS_PACKAGES) if (name !== source) remove(join('node_modules', name));
const build = new RegExp(`${process.platform}_${process.arch}_${process.versions.modules}\\.node$`);
const removed = removeFiles(join('node_modules', source), (path) => BINARY.test(path) && !build.test(path));
// The SDK's package is for browsers.
remove(join('dist', 'packages'));
for (const folder of ['node_modules', 'dist']) removeFiles(folder, (path) => NOT_RUN.test(path));
process.stdout.write(`kept ${source} for ${build.source}, without ${removed} other builds\n`);

function removeFiles(folder, unwanted) {
  const paths = readdirSync(folder, { recursive: true }).map((name) => join(folder, name));
  const found = paths.filter(unwanted);
  for (const path of found) remove(path);
  return found.length;
}

function remove(path) {
  rmSync(path, { recursive: true, force: true });
}
