import { stringify } from 'yaml';
import { describeType } from './describe.ts';
import { DEFAULT_NAMESPACES } from './schema.ts';
import { SETTINGS, type Setting } from './settings.ts';

export const COMMON_START = '<!-- common-settings:start -->';
export const COMMON_END = '<!-- common-settings:end -->';

/** What nearly every installation sets: the README's table. */
const COMMON = [
  'host',
  'port',
  'workers',
  'allowedOrigins',
  'admin.token',
  'nats.url',
  'nats.credsFile',
  'nats.streamReplicas',
  'auth.keys',
  'auth.jwksUrl',
  'namespaces.<name>.durable',
  'namespaces.<name>.keyed',
  'namespaces.<name>.public',
  'namespaces.<name>.clientPublish',
  'namespaces.<name>.slowConsumer',
];

const INTRODUCTION = `# Settings

<!-- Written by \`npm run docs\` from schema.ts: change the schema, not this page. -->

Every setting of a Stentor node. \`stentor config --reference\` prints this page, and \`stentor config\` prints the settings in effect.
For a complete config file, see [a node with tokens](README.md).

A setting can come from four places. The later one wins:

1. the default
2. the YAML or JSON file named by \`--config\` or \`STENTOR_CONFIG\`
3. the \`STENTOR_*\` environment variable
4. the flag \`--set path=value\`

- In a variable, write a list with commas or as JSON, and a map or a list of maps as JSON or YAML.
- \`<name>\` is the name of a namespace, written exactly as it is. In a variable it stands between double underscores: \`STENTOR_NAMESPACES__scores__DURABLE\`.
- A file path in a config file is relative to the folder of that file. In a variable or flag it is relative to the working directory.
- The node does not start with an unknown name, a value out of bounds, or settings that contradict each other. The error names the path, the value and what was expected.`;

/** The page of every setting, in Markdown: `src/config/REFERENCE.md`. */
export function configReference(): string {
  return `${INTRODUCTION}

| path | variable | type | default | what |
| --- | --- | --- | --- | --- |
${SETTINGS.map((setting) => row([code(setting.path), code(setting.envName), describeType(setting.shape), defaultOf(setting), whatOf(setting)])).join('\n')}

## Built-in namespaces

Setting \`namespaces\` in a config file or \`STENTOR_NAMESPACES\` replaces all of them. A variable or flag for one option changes only that option.

\`\`\`yaml
${stringify({ namespaces: DEFAULT_NAMESPACES }, { flowCollectionPadding: false, collectionStyle: 'any' }).trimEnd()}
\`\`\`
`;
}

/** A text with what lies between its two markers replaced by the table of common settings. @throws Error where a marker is missing */
export function withCommonSettings(text: string): string {
  const start = text.indexOf(COMMON_START);
  const end = text.indexOf(COMMON_END);
  if (start === -1 || end < start) throw new Error(`no ${COMMON_START} … ${COMMON_END} in the text`);
  const rows = COMMON.map((path) => {
    const setting = SETTINGS.find((each) => each.path === path);
    if (setting === undefined) throw new Error(`no such setting: ${path}`);
    return row([code(path), defaultOf(setting), whatOf(setting)]);
  });
  return `${text.slice(0, start)}${COMMON_START}\n\n| setting | default | what |\n| --- | --- | --- |\n${rows.join('\n')}\n\n${text.slice(end)}`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function code(text: string): string {
  return `\`${text}\``;
}

function whatOf({ shape }: Setting): string {
  return shape.description ?? '';
}

function defaultOf({ path, shape }: Setting): string {
  if (path === 'namespaces') return 'below';
  if (shape.default === undefined) return 'none';
  if (shape.default === '') return 'empty';
  if (Array.isArray(shape.default)) return shape.default.length === 0 ? 'empty' : code(shape.default.join(','));
  return code(String(shape.default));
}
