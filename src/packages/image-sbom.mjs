/**
 * Creates the list of npm packages of the image, when the image is built. It reads npm's CycloneDX list from stdin, leaves out what is not in node_modules
 * (development packages, packages of other platforms, what prune-image.mjs removed), and writes the rest to stdout. (npm's own `--omit=dev` also leaves out
 * `yaml`, because an optional peer of a development package names it.)
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const sbom = JSON.parse(await text(process.stdin));
const { name } = JSON.parse(readFileSync('package.json', 'utf8'));
const installed = new Set(packagesIn('node_modules'));
const isThere = (ref) => installed.has(ref) || ref === root;
const root = sbom.metadata.component['bom-ref'];

// npm uses the folder's name.
sbom.metadata.component.name = name;
sbom.components = sbom.components.filter(({ name: packageName, version }) => installed.has(`${packageName}@${version}`));
sbom.dependencies = sbom.dependencies
  .filter(({ ref }) => isThere(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter(isThere) }));
process.stdout.write(`${JSON.stringify(sbom, undefined, 2)}\n`);

/** `name@version` of each package, including nested ones. */
function packagesIn(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((path) => /(^|node_modules[/\\])(@[^/\\]+[/\\])?[^/\\]+[/\\]package\.json$/.test(path))
    .map((path) => JSON.parse(readFileSync(join(folder, path), 'utf8')))
    .map((manifest) => `${manifest.name}@${manifest.version}`);
}
