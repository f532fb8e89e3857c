/** What a NATS server has of its clients. */
export interface NatsCounts {
  readonly consumers: number;
  /** `<stream>/<name>` of each. */
  readonly consumerNames: readonly string[];
  /** Of clients; its own are left out. */
  readonly subscriptions: number;
  readonly connections: number;
  readonly memoryBytes: number;
}

/** @param port of its monitoring (`http` in its configuration) */
export async function natsCounts(port: number): Promise<NatsCounts> {
  const ask = async (path: string) => (await fetch(`http://127.0.0.1:${port}/${path}`)).json();
  const [{ mem }, { account_details = [] }, { connections }] = (await Promise.all([
    ask('varz'),
    ask('jsz?accounts=1&consumers=1'),
    ask('connz'),
  ])) as [
    { mem: number },
    { account_details?: readonly { stream_detail?: readonly { name: string; consumer_detail?: readonly { name: string }[] }[] }[] },
    { connections: readonly { subscriptions: number }[] },
  ];
  const streams = account_details.flatMap(({ stream_detail = [] }) => stream_detail);
  const consumerNames = streams.flatMap(({ name, consumer_detail = [] }) => consumer_detail.map((one) => `${name}/${one.name}`));
  return {
    consumers: consumerNames.length,
    consumerNames,
    subscriptions: connections.reduce((sum, { subscriptions }) => sum + subscriptions, 0),
    connections: connections.length,
    memoryBytes: mem,
  };
}
