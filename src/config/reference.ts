import { stringify } from 'yaml';
import { describeType } from './describe.ts';
import { DEFAULT_NAMESPACES } from './schema/namespaces.ts';
import { SETTINGS, type Setting } from './settings.ts';
import { CONFIG_SHAPE, type Shape } from './shape.ts';

export const COMMON_START = '<!-- common-settings:start -->';
export const COMMON_END = '<!-- common-settings:end -->';

/** The dozen that nearly every installation sets: the README's table. */
const COMMON = [
  'port',
  'workers',
  'allowedOrigins',
  'admin.token',
  'nats.url',
  'nats.streamReplicas',
  'auth.keys',
  'auth.jwksUrl',
  'namespaces.<name>.durable',
  'namespaces.<name>.state',
  'namespaces.<name>.public',
  'namespaces.<name>.clientPublish',
];

const INTRODUCTION = `# Settings

<!-- Written by \`npm run docs\` from schema.ts: change the schema, not this page. -->

What an operator of a Stentor node decides. \`stentor config --reference\` prints this page, and \`stentor config\` prints the settings in effect.
Finer bounds, pauses and batches are under \`tuning\`: [TUNING.md](TUNING.md). Their defaults fit nearly everybody.
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

/** The page of the operator's settings, in Markdown: `src/config/REFERENCE.md`. */
export function configReference(): string {
  const sections = sectionsOf('', CONFIG_SHAPE).filter(({ path }) => path !== 'tuning');
  return `${INTRODUCTION}

${[NODE_SECTION, ...sections].map(sectionText).join('\n')}
## Built-in namespaces

Setting \`namespaces\` in a config file or \`STENTOR_NAMESPACES\` replaces all of them. A variable or flag for one option changes only that option.

\`\`\`yaml
${stringify({ namespaces: DEFAULT_NAMESPACES }, { flowCollectionPadding: false, collectionStyle: 'any' }).trimEnd()}
\`\`\`
`;
}

const TUNING_INTRODUCTION = `# Tuning

<!-- Written by \`npm run docs\` from schema/tuning.ts: change the schema, not this page. -->

Bounds of caches and queues, pauses, batches and checks of a Stentor node. The defaults fit nearly everybody: change one when a metric or an error names it.
\`stentor config --tuning\` prints this page. The other settings, and how all are set: [REFERENCE.md](REFERENCE.md).`;

/** The page of everything under `tuning`, in Markdown: `src/config/TUNING.md`. */
export function tuningReference(): string {
  const sections = sectionsOf('tuning.', CONFIG_SHAPE.properties?.tuning);
  return `${TUNING_INTRODUCTION}\n\n${sections.map(sectionText).join('\n')}`;
}

interface Section {
  readonly path: string;
  readonly description: string;
  readonly settings: readonly Setting[];
}

/** Settings that are in no section of their own. */
const NODE_SECTION: Section = {
  path: 'node',
  description: CONFIG_SHAPE.description ?? '',
  settings: SETTINGS.filter(({ path }) => !/\.|^namespaces$/.test(path)),
};

function sectionsOf(prefix: string, parent: Shape | undefined): Section[] {
  return Object.entries(parent?.properties ?? {}).flatMap(([name, { description = '' }]) => {
    const path = `${prefix}${name}`;
    const settings = SETTINGS.filter((setting) => setting.path.startsWith(`${path}.`) || (setting.path === path && path === 'namespaces'));
    return settings.length === 0 ? [] : [{ path, description, settings }];
  });
}

function sectionText({ path, description, settings }: Section): string {
  return `## ${path}\n\n${capitalized(description)}\n\n${table(settings)}\n`;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function table(settings: readonly Setting[]): string {
  const rows = settings.map((setting) =>
    row([code(setting.path), code(setting.envName), describeType(setting.shape), defaultOf(setting), whatOf(setting)]),
  );
  return `| path | variable | type | default | what |\n| --- | --- | --- | --- | --- |\n${rows.join('\n')}`;
}

/** Returns the text with the table of common settings between its two markers. @throws Error if a marker is missing */
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
