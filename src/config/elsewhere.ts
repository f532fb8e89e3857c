import { isTuning, SETTINGS } from './settings.ts';

const SHOWN_MAX = 3;

const paths = SETTINGS.map((setting) => setting.path);
const sections = paths.flatMap((path) => path.split('.').flatMap((_, i, names) => (i === 0 ? [] : [names.slice(0, i).join('.')])));
const places = [...new Set([...paths, ...sections])];

/**
 * Where a setting or a section of this name is, if not here: `limits.keysPerTopicMax` → `tuning.recent.keysPerTopicMax`. The name is written right, so the
 * place is what is wrong.
 */
export function elsewhere(path: string): string | undefined {
  const name = path.slice(path.lastIndexOf('.') + 1);
  const found = [path, name].map((ending) => places.filter((place) => place.endsWith(`.${ending}`))).find((some) => some.length > 0) ?? [];
  return found.length === 0 || found.length > SHOWN_MAX ? undefined : found.join(' or ');
}

/** The same for variables. Only names in `tuning` are long enough to be the end of another variable only on purpose. */
export function variableElsewhere(name: string): string | undefined {
  const ends = SETTINGS.filter(isTuning).flatMap(({ path, envName }) => {
    const section = path.slice(0, path.lastIndexOf('.'));
    const ending = envName.slice(`STENTOR_${section.replaceAll('.', '_')}`.length);
    return name.endsWith(ending) ? [envName] : [];
  });
  return ends.length === 0 ? undefined : ends.join(' or ');
}
