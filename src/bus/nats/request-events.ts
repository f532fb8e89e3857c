import type { Msg } from '@nats-io/transport-node';
import type { IncomingRequest, RequestAnswer } from '../requests.ts';
import { requestAddressOf } from '../subjects.ts';
import { answerHeadersOf, readRequestHeaders } from './headers.ts';
import type { SubscriptionEvents } from './lasting-subscription.ts';

const NOTHING = new Uint8Array();

/** Tells a listener what servers ask of this node, and sends its answers. */
export class RequestEvents implements SubscriptionEvents {
  readonly #listener: (request: IncomingRequest) => void;

  constructor(listener: (request: IncomingRequest) => void) {
    this.#listener = listener;
  }

  onMessage(message: Msg): void {
    const answer = message.reply === undefined || message.reply === '' ? undefined : (given: RequestAnswer) => respond(message, given);
    this.#listener({ address: requestAddressOf(message.subject), payload: message.data, ...readRequestHeaders(message), answer });
  }
}

/** If NATS has gone meanwhile, the one that asked gets no answer, and its time-out ends it. */
function respond(message: Msg, answer: RequestAnswer): void {
  try {
    message.respond(answer.kind === 'result' ? answer.payload : NOTHING, { headers: answerHeadersOf(answer) });
  } catch (error) {
    // With a closed connection nothing more can be done.
    if (answer.kind === 'result') respond(message, { kind: 'serviceError', code: 'answer_too_large', text: (error as Error).message });
  }
}
