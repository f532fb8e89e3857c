/** The demo page: a plain WebSocket and the JSON encoding, so that it shows the protocol as it is. */
const EVENTS_SHOWN = 12;
const RECONNECT_MS = 1000;
const show = (id, text) => {
  document.getElementById(id).textContent = text;
};

let received = 0;
let receivedBefore = 0;
/** Server clock minus this clock, from pings; 0 where both are one machine. */
let clockOffsetMs = 0;
let latencyMs;
const rows = new Map();

function connect() {
  setState('connecting');
  const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`, 'stentor.v1.json');
  socket.onopen = () => {
    setState('connected');
    socket.send(JSON.stringify({ type: 'subscribe', id: 1, topic: 'scores.demo', snapshot: true }));
    socket.send(JSON.stringify({ type: 'subscribe', id: 2, topic: 'ticks.demo', snapshot: true }));
    socket.send(JSON.stringify({ type: 'ping', t: Date.now() }));
  };
  socket.onmessage = ({ data }) => receive(JSON.parse(data));
  socket.onclose = () => {
    setState('reconnecting');
    setTimeout(connect, RECONNECT_MS);
  };
}

function receive(message) {
  if (message.type === 'pong') {
    const roundTripMs = Date.now() - message.t;
    clockOffsetMs = message.serverTimeMs + roundTripMs / 2 - Date.now();
  }
  if (message.type === 'error') setState(`error: ${message.message}`);
  if (message.type !== 'batch' && message.type !== 'subscribed') return;
  if (message.type === 'batch') {
    received += message.items.length;
    latencyMs = Math.max(0, Date.now() + clockOffsetMs - message.sentAtMs);
  }
  for (const [, key, data] of message.items) {
    if (message.topic === 'scores.demo') showEvent(data);
    else showTick(key, data);
  }
}

function showEvent(event) {
  if (event.score) show('score', `${event.home} ${event.score[0]}–${event.score[1]} ${event.away}, ${event.minute}′`);
  const line = document.createElement('li');
  line.textContent = event.minute === undefined ? event.text : `${event.minute}′ ${event.text}`;
  const events = document.getElementById('events');
  events.prepend(line);
  while (events.children.length > EVENTS_SHOWN) events.lastElementChild.remove();
}

function showTick(symbol, tick) {
  let cells = rows.get(symbol);
  if (cells === undefined) {
    const row = document.getElementById('ticks').insertRow();
    cells = [symbol, tick.name, '', ''].map((text) => {
      const cell = row.insertCell();
      cell.textContent = text;
      return cell;
    });
    rows.set(symbol, cells);
  }
  cells[2].textContent = tick.price.toFixed(2);
  cells[3].textContent = `${tick.changePercent > 0 ? '+' : ''}${tick.changePercent.toFixed(2)}%`;
  cells[3].className = tick.changePercent < 0 ? 'down' : 'up';
}

function setState(state) {
  const element = document.getElementById('state');
  element.textContent = state;
  element.dataset.state = state;
}

setInterval(() => {
  show('rate', String(received - receivedBefore));
  show('latency', latencyMs === undefined ? '–' : `${latencyMs.toFixed(1)} ms`);
  show('total', String(received));
  receivedBefore = received;
}, 1000);

connect();
