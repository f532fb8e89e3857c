import { jsonCodec } from '../../src/protocol/json-codec.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { Connection, type SendLimits } from '../../src/session/connection.ts';
import type { Socket } from '../../src/transport/uws.ts';

const SEND_LIMITS: SendLimits = { lagThresholdBytes: 1000, sendBufferLimitBytes: 10_000 };

/** A connection whose socket is the test's: it says how much waits for it, and keeps what it is sent. */
export class StubConnection {
  readonly connection: Connection;
  readonly sent: ServerMessage[] = [];
  /** Native topics that it listens in, with every step that led there. */
  readonly listensTo = new Set<string>();
  readonly steps: string[] = [];
  bufferedBytes = 0;
  endedWith: number | undefined;

  constructor(id = 'c1') {
    this.connection = new Connection(id, jsonCodec, SEND_LIMITS);
    const socket = {
      send: (frame: Uint8Array) => void this.sent.push(JSON.parse(Buffer.from(frame).toString())),
      cork: (work: () => void) => work(),
      getBufferedAmount: () => this.bufferedBytes,
      subscribe: (topic: string) => {
        this.listensTo.add(topic);
        this.steps.push(`+${topic}`);
      },
      unsubscribe: (topic: string) => {
        this.listensTo.delete(topic);
        this.steps.push(`-${topic}`);
      },
      end: (code: number) => {
        this.endedWith = code;
        this.connection.closed();
      },
    };
    this.connection.opened(socket as unknown as Socket<never>);
  }

  ofType<T extends ServerMessage['type']>(type: T): ServerMessage<T>[] {
    return this.sent.filter((message): message is ServerMessage<T> => message.type === type);
  }
}
