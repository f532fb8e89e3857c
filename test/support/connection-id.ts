/** The worker that accepted a connection, and its life: ids of connections are `<node>-<worker's life>.<number>`. */
export function workerOf(connectionId: string): string {
  return connectionId.slice(0, connectionId.lastIndexOf('.'));
}
