import { AnswerOutbox } from '../../src/delivery/answer-outbox.ts';
import { Receiver } from '../../src/delivery/receiver.ts';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import type { ServerMessage } from '../../src/protocol/messages.ts';
import { FakeSocket } from './fake-socket.ts';

/** The receiving end of a connection whose socket is the test's. */
export class StubReceiver {
  readonly receiver: Receiver;
  readonly socket: FakeSocket;
  readonly outbox = new AnswerOutbox();

  constructor(id = 'c1', socket = new FakeSocket()) {
    this.socket = socket;
    this.receiver = new Receiver(id, jsonCodec, socket, {
      lagThresholdBytes: 1000,
      sendBufferLimitBytes: 10_000,
      answerBytesPerMessageMax: 4096,
      frameBytesMax: 2000,
      outbox: this.outbox,
      closedSlow: { inc: () => undefined },
      dropped: () => undefined,
    });
    socket.onClosed = () => this.receiver.closed();
  }

  get sent(): ServerMessage[] {
    return this.socket.frames.map((frame) => JSON.parse(Buffer.from(frame).toString()));
  }

  ofType<T extends ServerMessage['type']>(type: T): ServerMessage<T>[] {
    return this.sent.filter((message): message is ServerMessage<T> => message.type === type);
  }
}
