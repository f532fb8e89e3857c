import { afterAll, beforeAll } from 'vitest';
import { clientCases } from './client.ts';
import { contentCases } from './contents.ts';
import { type Packages, PackingPlace } from './pack.ts';
import { useCases } from './use.ts';

// One clone, one build and one pair of tarballs for all of these.
const place = new PackingPlace();
const packed = {} as Packages;

beforeAll(async () => {
  Object.assign(packed, await place.pack());
}, 300_000);
afterAll(() => place.remove());

contentCases(packed);
clientCases(packed, place);
useCases(packed, place);
