import { readFileSync, writeFileSync } from 'node:fs';
import { withReference } from '../../src/config/reference.ts';
import { withProtocolReference } from '../../src/protocol/reference.ts';

/** Brings the generated parts of the documents up to date: `npm run docs`. Tests keep them so. */
function rewrite(path: string, withGenerated: (text: string) => string): void {
  const url = new URL(path, import.meta.url);
  writeFileSync(url, withGenerated(readFileSync(url, 'utf8')));
}

rewrite('../../README.md', withReference);
rewrite('../../src/protocol/PROTOCOL.md', withProtocolReference);
