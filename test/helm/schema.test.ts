import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { valuesSchema } from '../../helm/values-schema.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { CHART } from './tools.ts';

const read = (file: string) => readFileSync(join(CHART, file), 'utf8');

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly patternProperties?: Readonly<Record<string, Node>>;
}

const schema = JSON.parse(read('values.schema.json')) as Node;

/** What the schema says of a config path; `<name>` stands for a chosen name, as in the config reference. */
function at(path: string): Node | undefined {
  let node = schema.properties?.config;
  for (const segment of path.split('.'))
    node = segment === '<name>' ? Object.values(node?.patternProperties ?? {})[0] : node?.properties?.[segment];
  return node;
}

describe('the schema of the chart’s values', () => {
  it('is generated from the config schema (npm run helm:schema updates it)', () => {
    expect(JSON.parse(JSON.stringify(valuesSchema()))).toEqual(schema);
  });

  it('contains every setting, and accepts no secret for the ConfigMap', () => {
    for (const { path, shape } of SETTINGS) {
      if (shape.secret) expect(at(path), path).toBeUndefined();
      else expect(at(path), path).toBeDefined();
    }
  });

  it('knows every value that the chart has a default for', () => {
    const unknown = Object.entries(parse(read('values.yaml')) as Record<string, unknown>).flatMap(([name, value]) => {
      const known = schema.properties?.[name];
      if (known === undefined) return [name];
      if (known.properties === undefined || Object.keys(known.properties).length === 0) return [];
      return Object.keys(value as object).flatMap((part) => (known.properties?.[part] === undefined ? [`${name}.${part}`] : []));
    });
    expect(unknown).toEqual([]);
  });
});
