import { CASES } from './index.ts';
import { type Order, runByName } from './main.ts';

/** `node node-main.mjs <order as JSON>`: a line of JSON for each case as it ends. Ends by itself, if nothing of the SDK is left. */
const order = JSON.parse(process.argv[2] as string) as Order;
for (const { name } of CASES) process.stdout.write(`${JSON.stringify(await runByName(CASES, name, order))}\n`);
// Node's own WebSocket cannot let go of a connection whose other side has vanished.
if (order.platformSocket) process.exit();
