import { ProtocolError } from '../../protocol/errors.ts';
import type { Command } from './command.ts';

/** `presence`: refused. @throws ProtocolError `unsupported` */
export const presence: Command<'presence'> = () => {
  throw new ProtocolError('unsupported', 'this version does not keep presence');
};
