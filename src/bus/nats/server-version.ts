import { BusError } from '../bus-error.ts';

/** Named ephemeral consumers and direct gets were introduced in 2.9. */
const OLDEST = [2, 9] as const;

/** @throws BusError `server_too_old` */
export function checkServerVersion(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  throw new BusError('server_too_old', `NATS server ${version} is too old: Stentor needs ${OLDEST.join('.')} or newer`);
}
