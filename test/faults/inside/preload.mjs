// Preloaded into the processes of a node (NODE_OPTIONS): on SIGUSR2, counts what is alive in the process, and writes it to $INSIDE_FOLDER/<pid>.json.
import { renameSync, writeFileSync } from 'node:fs';
import Module from 'node:module';
import { join } from 'node:path';
import { queryObjects, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const UWS = /uws|uwebsockets/i;
const file = join(process.env.INSIDE_FOLDER, `${process.pid}.json`);
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const Timeout = setTimeout(() => {}, 0).constructor;

/** WebSockets that are open in this process. uWebSockets itself does not tell how many topics it has. */
const sockets = new Set();
const load = Module._load;
Module._load = function (request, ...rest) {
  const loaded = load.call(this, request, ...rest);
  return UWS.test(request) && typeof loaded?.App === 'function' ? { ...loaded, App: (...args) => watched(loaded.App(...args)) } : loaded;
};

function watched(app) {
  const { ws } = app;
  app.ws = (path, behavior) =>
    ws.call(app, path, {
      ...behavior,
      open: (socket) => {
        sockets.add(socket);
        behavior.open(socket);
      },
      close: (socket, ...rest) => {
        sockets.delete(socket);
        behavior.close(socket, ...rest);
      },
    });
  return app;
}

process.on('SIGUSR2', () => {
  collect();
  // What finalizers hold is free after the next turn.
  setTimeout(write, 20);
});

function write() {
  collect();
  const topics = new Set();
  for (const socket of sockets) for (const topic of socket.getTopics()) topics.add(topic);
  const { heapUsed, external, rss } = process.memoryUsage();
  const alive = (type) => queryObjects(type, { format: 'count' });
  const found = {
    heapBytes: heapUsed,
    externalBytes: external,
    rssBytes: rss,
    timers: alive(Timeout),
    promises: alive(Promise),
    maps: alive(Map),
    sets: alive(Set),
    sockets: sockets.size,
    nativeTopics: topics.size,
  };
  writeFileSync(`${file}.part`, JSON.stringify(found));
  renameSync(`${file}.part`, file);
}
