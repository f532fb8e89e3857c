import { Connection, showConnection } from './connection.ts';
import { makeLatency } from './latency.ts';
import { showRecovery } from './recovery.ts';
import { showScores } from './scores.ts';
import { Ticker } from './ticker.ts';

const connection = new Connection();
const { client } = connection;
const ticker = new Ticker(client);
const showLatency = makeLatency();

showConnection(client);
showScores(client);
showRecovery(connection);
client.on('stats', (stats) => {
  ticker.showFigures(stats);
  showLatency(stats);
});
