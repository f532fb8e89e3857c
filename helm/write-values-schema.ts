import { writeFileSync } from 'node:fs';
import { valuesSchema } from './values-schema.ts';

/** `npm run helm:schema`: brings the chart's schema up to date with Stentor's. */
writeFileSync(new URL('stentor/values.schema.json', import.meta.url), `${JSON.stringify(valuesSchema(), undefined, 2)}\n`);
