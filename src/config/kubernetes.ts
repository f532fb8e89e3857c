const SERVICE_NAME = /_SERVICE_(HOST|PORT(_\w+)?)$/;
const PORT_NAME = /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;
const PORT_URL = /^(tcp|udp|sctp):\/\//;

/**
 * Whether it is one of the variables that Kubernetes adds to every container for a Service of the namespace. For a Service named `stentor` it sets
 * `STENTOR_SERVICE_HOST`, `STENTOR_PORT_8080_TCP_ADDR`, and `STENTOR_PORT=tcp://10.0.0.1:8080`, which looks like a setting. No setting has such a name with
 * such a value.
 */
export function isServiceLink(name: string, text: string): boolean {
  return SERVICE_NAME.test(name) || PORT_NAME.test(name) || (name.endsWith('_PORT') && PORT_URL.test(text));
}
