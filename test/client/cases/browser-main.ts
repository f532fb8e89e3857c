import { BROWSER } from './browser.ts';
import { CASES } from './index.ts';
import { type Order, runByName } from './main.ts';

Object.assign(globalThis, { runByName: (name: string, order: Order) => runByName([...CASES, ...BROWSER], name, order) });
