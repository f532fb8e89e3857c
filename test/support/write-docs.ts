import { readFileSync, writeFileSync } from 'node:fs';
import { configReference, tuningReference, withCommonSettings } from '../../src/config/reference.ts';
import { openapiText } from '../../src/http/api/openapi.ts';
import { ROUTES } from '../../src/http/api/table.ts';
import { withProtocolReference } from '../../src/protocol/reference.ts';

/** Brings generated documents, and generated parts of others, up to date: `npm run docs`. Tests keep them so. */
function rewrite(path: string, withGenerated: (text: string) => string): void {
  const url = new URL(path, import.meta.url);
  writeFileSync(url, withGenerated(readFileSync(url, 'utf8')));
}

writeFileSync(new URL('../../src/config/REFERENCE.md', import.meta.url), configReference());
writeFileSync(new URL('../../src/config/TUNING.md', import.meta.url), tuningReference());
writeFileSync(new URL('../../src/http/api/openapi.json', import.meta.url), openapiText(ROUTES));
rewrite('../../README.md', withCommonSettings);
rewrite('../../src/protocol/PROTOCOL.md', withProtocolReference);
