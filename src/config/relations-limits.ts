import type { Problem } from './problem.ts';
import type { Config, NamespaceOptions } from './schema.ts';

/** Otherwise a pong that arrives after the next ping could not be distinguished from that ping's. */
export function pongComesBeforeNextPing({ heartbeat, tuning }: Config): Problem[] {
  if (tuning.connections.pongTimeoutMs < heartbeat.pingIntervalMs) return [];
  return [
    {
      path: 'tuning.connections.pongTimeoutMs',
      value: tuning.connections.pongTimeoutMs,
      expected: `expected less than heartbeat.pingIntervalMs (${heartbeat.pingIntervalMs})`,
    },
  ];
}

export function someNamespace({ namespaces }: Config): Problem[] {
  if (Object.keys(namespaces).length > 0) return [];
  return [{ path: 'namespaces', value: {}, expected: 'expected at least one namespace; leave it out for the built-in ones' }];
}

/** In this namespace each user has a topic of its own. */
export function userTopicsArePrivate({ namespaces }: Config): Problem[] {
  if (namespaces.user?.public !== true) return [];
  return [{ path: 'namespaces.user.public', value: true, expected: 'expected false: each topic of it belongs to one user' }];
}

/** Shorter times would be noise: a node looks four times a second. */
export function staleTimesAreLong({ namespaces }: Config): Problem[] {
  return Object.entries(namespaces)
    .filter(([, { staleAfterMs }]) => staleAfterMs > 0 && staleAfterMs < 1000)
    .map(([name, { staleAfterMs }]) => ({
      path: `namespaces.${name}.staleAfterMs`,
      value: staleAfterMs,
      expected: 'expected 0, or at least 1000',
    }));
}

/** Bytes have no texts that could be cleaned. */
export function sanitizedPayloadsHaveTexts({ namespaces }: Config): Problem[] {
  return Object.entries(namespaces)
    .filter(([, { sanitize, payload }]) => sanitize !== 'off' && payload === 'bytes')
    .map(([name, { sanitize }]) => ({
      path: `namespaces.${name}.sanitize`,
      value: sanitize,
      expected: 'expected off, because the payload is bytes',
    }));
}

/** A patch that is lost, left out, or no value leaves a document that nobody published. */
export function documentsArePossible({ namespaces }: Config): Problem[] {
  return Object.entries(namespaces)
    .filter(([, { state, patch }]) => state === 'document' || patch)
    .flatMap(([name, options]) => {
      const { state, patch, durable, slowConsumer, payload, history } = options;
      const problem = (option: string, value: unknown, expected: string) => ({
        path: `namespaces.${name}.${option}`,
        value,
        expected: `expected ${expected}, because ${patch ? 'of patch' : 'the state is a document'}`,
      });
      return [
        ...(patch && state !== 'keyed' ? [problem('state', state, 'keyed')] : []),
        ...(durable ? [] : [problem('durable', durable, 'true')]),
        ...(slowConsumer === 'skip' ? [problem('slowConsumer', slowConsumer, 'another policy')] : []),
        ...(payload === 'bytes' ? [problem('payload', payload, 'json or msgpack')] : []),
        // While a new image replaces the last one, both must be there.
        ...(patch && history.maxCount < 2 ? [problem('history.maxCount', history.maxCount, 'at least 2')] : []),
      ];
    });
}

/** A change can only be applied to the value before it. */
export function deltasArePossible({ namespaces }: Config): Problem[] {
  return Object.entries(namespaces)
    .filter(([, { delta }]) => delta !== 'off')
    .flatMap(([name, { durable, state, patch, slowConsumer, payload }]) => {
      const problem = (option: string, value: unknown, expected: string) => ({
        path: `namespaces.${name}.${option}`,
        value,
        expected: `${expected}, because of delta`,
      });
      return [
        ...(durable ? [] : [problem('durable', durable, 'expected true')]),
        ...(state === 'document' ? [problem('state', state, 'expected last or keyed')] : []),
        ...(patch ? [problem('patch', patch, 'expected false')] : []),
        ...(slowConsumer === 'skip' ? [problem('slowConsumer', slowConsumer, 'expected another policy')] : []),
        ...(payload === 'bytes' ? [problem('payload', payload, 'expected json or msgpack')] : []),
      ];
    });
}

/** Otherwise the last token of a subject could be a key or a token; a document needs all of its patches; and nobody may read what other users get. */
export function patternsArePossible({ namespaces }: Config): Problem[] {
  return Object.entries(namespaces)
    .filter(([, { wildcards }]) => wildcards)
    .flatMap(([name, { state, patch, topicTokens, delta }]) => {
      const problem = (expected: string) => [{ path: `namespaces.${name}.wildcards`, value: true, expected }];
      if (name === 'user') return problem('expected false: each topic of it belongs to one user');
      if (state === 'document') return problem('expected false, because the state is a document');
      if (patch) return problem('expected false, because of patch');
      if (delta !== 'off') return problem('expected false, because of delta');
      return state === 'keyed' && topicTokens === 0 ? problem('expected topicTokens with it, because the namespace is keyed') : [];
    });
}

/** A payload that exceeds one of the buffers on its way would be refused, evicted immediately, or close every subscriber. */
export function payloadsFit(config: Config): Problem[] {
  return Object.entries(config.namespaces).flatMap(([name, options]) => {
    const path = `namespaces.${name}.maxPayloadBytes`;
    return boundsOf(config, options)
      .filter(([bound, bytes]) => bound !== '' && options.maxPayloadBytes > bytes)
      .map(([bound, bytes]) => ({
        path,
        value: options.maxPayloadBytes,
        expected: `expected at most ${bytes}, which is ${bound.replace('<name>', name)}`,
      }));
  });
}

function boundsOf({ limits, memory, nats, tuning }: Config, options: NamespaceOptions): [path: string, bytes: number][] {
  return [
    [options.clientPublish ? 'limits.messageBytesMax' : '', limits.messageBytesMax],
    ['limits.sendBufferLimitBytes', limits.sendBufferLimitBytes],
    ['tuning.recent.bytesPerTopicMax', tuning.recent.bytesPerTopicMax],
    [options.durable ? 'namespaces.<name>.history.maxBytes' : '', options.history.maxBytes],
    [options.durable && nats.url === '' ? 'memory.maxBytes' : '', memory.maxBytes],
  ];
}

/** A connection must have time to catch up before it is closed. */
export function lagComesBeforeClose({ limits, tuning }: Config): Problem[] {
  if (tuning.fanout.lagThresholdBytes <= limits.sendBufferLimitBytes) return [];
  return [
    {
      path: 'tuning.fanout.lagThresholdBytes',
      value: tuning.fanout.lagThresholdBytes,
      expected: `expected at most limits.sendBufferLimitBytes (${limits.sendBufferLimitBytes})`,
    },
  ];
}

/** A connection's share of a limit cannot exceed the whole. */
export function connectionBoundsNest({ tuning: { commands, sending } }: Config): Problem[] {
  const { publishesPerConnectionMax, publishesInFlightMax, callsPerConnectionMax, callsInFlightMax } = commands;
  const path = 'tuning.commands';
  return [
    ...atMost(`${path}.publishesPerConnectionMax`, publishesPerConnectionMax, publishesInFlightMax, `${path}.publishesInFlightMax`),
    ...atMost(`${path}.callsPerConnectionMax`, callsPerConnectionMax, callsInFlightMax, `${path}.callsInFlightMax`),
    ...atMost(
      'tuning.sending.callsPerConnectionMax',
      sending.callsPerConnectionMax,
      sending.requestsInFlightMax,
      'tuning.sending.requestsInFlightMax',
    ),
    ...atMost(
      'tuning.sending.messageBytesMax',
      sending.messageBytesMax,
      sending.requestBytesInFlightMax,
      'tuning.sending.requestBytesInFlightMax',
    ),
  ];
}

/** A message of the maximum size would always be refused, even without any other load. */
export function messagesFitTheirBounds({ limits, tuning, workers }: Config): Problem[] {
  const { messageBytesMax } = limits;
  const shareBytes = Math.floor(tuning.commands.commandBytesInFlightMax / Math.max(1, workers));
  return [
    ...atMost('limits.messageBytesMax', messageBytesMax, limits.bytesPerSecondMax, 'limits.bytesPerSecondMax'),
    ...atMost(
      'limits.messageBytesMax',
      messageBytesMax,
      tuning.commands.commandBytesPerConnectionMax,
      'tuning.commands.commandBytesPerConnectionMax',
    ),
    ...atMost('limits.messageBytesMax', messageBytesMax, shareBytes, "a worker's share of tuning.commands.commandBytesInFlightMax"),
  ];
}

function atMost(path: string, value: number, max: number, what: string): Problem[] {
  return value <= max ? [] : [{ path, value, expected: `expected at most ${max}, which is ${what}` }];
}

/**
 * If the budget were smaller than one answer, each answer would take all of it. And a worker is restarted when too much waits for it, which must not be caused
 * by what it requested.
 */
export function answersFitTheirBudgets({ tuning: { answers, recovery, hub } }: Config): Problem[] {
  const { historyPageBytesMax, historyBytesMax, answerBytesPerWorkerMax, answerBytesPerNodeMax } = answers;
  const { recoveryBytesMax } = recovery;
  const nested = [
    ['answers.historyPageBytesMax', historyPageBytesMax, 'answers.historyBytesMax', historyBytesMax],
    ['recovery.recoveryBytesMax', recoveryBytesMax, 'answers.answerBytesPerWorkerMax', answerBytesPerWorkerMax],
    ['recovery.recoveryBytesMax', recoveryBytesMax, 'answers.answerBytesPerNodeMax', answerBytesPerNodeMax],
    ['answers.historyBytesMax', historyBytesMax, 'answers.answerBytesPerNodeMax', answerBytesPerNodeMax],
    ['answers.answerBytesPerWorkerMax', answerBytesPerWorkerMax, 'hub.linkQueueBytesMax / 2', hub.linkQueueBytesMax / 2],
  ] as const;
  return nested
    .filter(([, bytes, , bytesMax]) => bytes > bytesMax)
    .map(([name, value, bound, bytesMax]) => ({
      path: `tuning.${name}`,
      value,
      expected: `expected at most tuning.${bound} (${bytesMax})`,
    }));
}

export function fanoutBoundsNest({ tuning }: Config): Problem[] {
  const problems: Problem[] = [];
  if (tuning.fanout.loopGapMinMs > tuning.fanout.loopGapMaxMs) {
    problems.push({
      path: 'tuning.fanout.loopGapMinMs',
      value: tuning.fanout.loopGapMinMs,
      expected: `expected at most tuning.fanout.loopGapMaxMs (${tuning.fanout.loopGapMaxMs})`,
    });
  }
  if (tuning.recent.bytesPerTopicMax > tuning.recent.bytesMax) {
    problems.push({
      path: 'tuning.recent.bytesPerTopicMax',
      value: tuning.recent.bytesPerTopicMax,
      expected: `expected at most tuning.recent.bytesMax (${tuning.recent.bytesMax})`,
    });
  }
  return problems;
}
