import { startEchoServer } from './echo-server.ts';

const { port } = await startEchoServer(Number(process.argv[2] ?? 9001));
console.log(`ws://127.0.0.1:${port}/`);
