import { writeFileSync } from 'node:fs';
import { valuesSchema } from './values-schema.ts';

/** `npm run helm:schema`: updates the chart's schema from Stentor's. */
writeFileSync(new URL('stentor/values.schema.json', import.meta.url), `${JSON.stringify(valuesSchema(), undefined, 2)}\n`);
