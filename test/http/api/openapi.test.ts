import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterEach, describe, expect, it } from 'vitest';
import { codesOf, openapiOf, openapiText } from '../../../src/http/api/openapi.ts';
import { ROUTES } from '../../../src/http/api/table.ts';
import { TestNode } from '../../support/node.ts';

const KEPT = new URL('../../../src/http/api/openapi.json', import.meta.url);

describe('the OpenAPI document', () => {
  let node: TestNode | undefined;
  afterEach(() => node?.stop());

  it('is kept as it is generated: npm run docs', () => {
    expect(readFileSync(KEPT, 'utf8')).toBe(openapiText(ROUTES));
  });

  it('is valid OpenAPI 3.1, by a validator that is not ours', async () => {
    const validator = new Validator();
    expect(await validator.validate(JSON.parse(readFileSync(KEPT, 'utf8')))).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
    const broken = { ...openapiOf(ROUTES), paths: { '/api/node': { get: { responses: 3 } } } };
    expect((await new Validator().validate(broken)).valid).toBe(false);
  });

  it('is served to everybody, because it contains nothing of the node', async () => {
    node = await TestNode.start({ 'admin.token': 'the-operators-token' });
    const answer = await node.admin('/openapi.json');
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(await answer.json()).toEqual(openapiOf(ROUTES));
  });

  it('names every path and method once', () => {
    const names = ROUTES.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(ROUTES.map(({ operationId }) => operationId)).size).toBe(names.length);
    for (const route of ROUTES) expect(codesOf(route)).toEqual(expect.arrayContaining(['unauthorized', 'forbidden', 'busy', 'internal']));
  });
});
