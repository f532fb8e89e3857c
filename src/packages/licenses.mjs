import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const LICENSE_FILE = /^(licen[sc]e|copying)(\.(md|txt))?$/i;

/**
 * The licences of all packages in bundles, as one text: a bundle contains their code.
 *
 * @param {string} root folder that the metafiles' paths are relative to
 * @param {readonly import('esbuild').Metafile[]} metafiles of the bundles
 * @throws {Error} if a package has no licence file
 */
export function bundledLicenses(root, metafiles) {
  const folders = new Set(
    metafiles.flatMap(({ outputs }) => Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs).flatMap(packageFolder))),
  );
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const file = readdirSync(join(root, folder)).find((entry) => LICENSE_FILE.test(entry));
    if (file === undefined) throw new Error(`${folder} is bundled, but has no licence file`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(root, folder, file), 'utf8').trim()}\n`;
  });
  return `Files of this package contain code of these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

/** @param {string} path `node_modules/@a/b/c.js` → `node_modules/@a/b`; ours: nothing */
function packageFolder(path) {
  const [folder] = /^(.*\/)?node_modules\/(@[^/]+\/)?[^/]+/.exec(path) ?? [];
  return folder === undefined ? [] : [folder];
}
