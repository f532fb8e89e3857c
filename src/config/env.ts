import { variableElsewhere } from './elsewhere.ts';
import { isServiceLink } from './kubernetes.ts';
import { type Assignment, assignmentOf, isTemplate, wholeBeforePart } from './layers.ts';
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';
import { ENV_PREFIX, NAME_PLACEHOLDER, SETTINGS, type Setting, WHERE_LISTED } from './settings.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** Names the config file. It is the only `STENTOR_` variable that is not a setting. */
export const CONFIG_FILE_VARIABLE = 'STENTOR_CONFIG';

const plainByName = new Map(SETTINGS.filter((setting) => !isTemplate(setting)).map((setting) => [setting.envName, setting]));
const templates = SETTINGS.filter(isTemplate).map((setting) => {
  const [before = '', after = ''] = setting.envName.split(NAME_PLACEHOLDER);
  return { setting, before, after };
});

export interface EnvLayer {
  readonly assignments: readonly Assignment[];
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

/**
 * Reads every `STENTOR_` variable. An empty one counts as not set unless the setting is a text, because `${PORT:-}` in a compose file means "use the default".
 */
export function readEnv(env: Env): EnvLayer {
  const assignments: Assignment[] = [];
  const problems: Problem[] = [];
  const warnings: string[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || !name.startsWith(ENV_PREFIX) || name === CONFIG_FILE_VARIABLE) continue;
    if (isServiceLink(name, text)) {
      warnings.push(`${name} was set by Kubernetes for a service named stentor, and is ignored; enableServiceLinks: false prevents it`);
      continue;
    }
    const found = settingOf(name);
    if (found === undefined) problems.push({ path: name, expected: unknownName(name) });
    else if (text.trim() !== '' || found.setting.shape.type === 'string')
      assignments.push(assignmentOf(found.setting, found.path, text, name));
  }
  return { assignments: assignments.sort(wholeBeforePart), problems, warnings };
}

function settingOf(name: string): { setting: Setting; path: string } | undefined {
  const plain = plainByName.get(name);
  if (plain) return { setting: plain, path: plain.path };
  for (const { setting, before, after } of templates) {
    const chosen = name.slice(before.length, -after.length);
    if (!name.startsWith(before) || !name.endsWith(after) || chosen === '') continue;
    return { setting, path: setting.path.replace(NAME_PLACEHOLDER, () => chosen) };
  }
  return undefined;
}

function unknownName(name: string): string {
  const near = variableElsewhere(name) ?? nearest(name, [CONFIG_FILE_VARIABLE, ...SETTINGS.map((setting) => setting.envName)]);
  return `no such setting${near === undefined ? `; ${WHERE_LISTED}` : `; did you mean ${near}?`}`;
}
