import { stringify } from 'yaml';
import { describeType } from './describe.ts';
import { DEFAULT_NAMESPACES } from './schema.ts';
import { SETTINGS, type Setting } from './settings.ts';

export const REFERENCE_START = '<!-- config-reference:start -->';
export const REFERENCE_END = '<!-- config-reference:end -->';

const INTRODUCTION = `Defaults, then the YAML or JSON file that \`--config\` or \`STENTOR_CONFIG\` names, then \`STENTOR_*\` variables, then flags (\`--set path=value\`
for any path): the last one wins. Lists in variables are comma-separated or JSON; maps and lists of maps are JSON or YAML. \`<name>\` is a
namespace's name, written exactly as it is, between double underscores: \`STENTOR_NAMESPACES__scores__DURABLE\`.
Paths of files in a config file are relative to that file's folder, in variables and flags to the working directory.
Unknown names, values out of bounds and settings that contradict each other stop the start, with the path, the value and what was expected.`;

/** The table of every setting, in Markdown, as the README carries it. */
export function configReference(): string {
  const rows = SETTINGS.map(row);
  return `${INTRODUCTION}

| path | variable | type | default | what |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

The built-in namespaces, which any \`namespaces\` of a config file or \`STENTOR_NAMESPACES\` replace; a variable or flag for one option changes them:

\`\`\`yaml
${stringify({ namespaces: DEFAULT_NAMESPACES }, { flowCollectionPadding: false, collectionStyle: 'any' }).trimEnd()}
\`\`\`
`;
}

/** A text with what lies between its two markers replaced by the reference. @throws Error where a marker is missing */
export function withReference(text: string): string {
  const start = text.indexOf(REFERENCE_START);
  const end = text.indexOf(REFERENCE_END);
  if (start === -1 || end < start) throw new Error(`no ${REFERENCE_START} … ${REFERENCE_END} in the text`);
  return `${text.slice(0, start)}${REFERENCE_START}\n\n${configReference()}\n${text.slice(end)}`;
}

function row({ path, envName, shape }: Setting): string {
  const cells = [`\`${path}\``, `\`${envName}\``, describeType(shape), defaultOf({ path, shape }), shape.description ?? ''];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function defaultOf({ path, shape }: Pick<Setting, 'path' | 'shape'>): string {
  if (path === 'namespaces') return 'below';
  if (shape.default === undefined) return 'none';
  if (shape.default === '') return 'empty';
  if (Array.isArray(shape.default)) return shape.default.length === 0 ? 'empty' : `\`${shape.default.join(',')}\``;
  return `\`${shape.default}\``;
}
