import type { Problem } from './problem.ts';
import type { Config, NamespaceOptions } from './schema.ts';

/** A pong that may come after the next ping could not be told from that ping's. */
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
  return [{ path: 'namespaces', value: {}, expected: 'expected one namespace at least; leave it out for the built-in ones' }];
}

/** A payload that one of the buffers on its way cannot hold would be refused, evicted at once, or close every subscriber. */
export function payloadsFit(config: Config): Problem[] {
  return Object.entries(config.namespaces).flatMap(([name, options]) => {
    const path = `namespaces.${name}.maxPayloadBytes`;
    return boundsOf(config, options)
      .filter(([bound, bytes]) => bound !== '' && options.maxPayloadBytes > bytes)
      .map(([bound, bytes]) => ({
        path,
        value: options.maxPayloadBytes,
        expected: `expected ${bytes} at most, which is ${bound.replace('<name>', name)}`,
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

/** A connection is caught up before it is given up. */
export function lagComesBeforeClose({ limits, tuning }: Config): Problem[] {
  if (tuning.fanout.lagThresholdBytes <= limits.sendBufferLimitBytes) return [];
  return [
    {
      path: 'tuning.fanout.lagThresholdBytes',
      value: tuning.fanout.lagThresholdBytes,
      expected: `expected limits.sendBufferLimitBytes (${limits.sendBufferLimitBytes}) at most`,
    },
  ];
}

/** A connection's part of a bound cannot be greater than the whole. */
export function connectionBoundsNest({ tuning: { commands } }: Config): Problem[] {
  const { publishesPerConnectionMax, publishesInFlightMax, callsPerConnectionMax, callsInFlightMax } = commands;
  const path = 'tuning.commands';
  return [
    ...atMost(`${path}.publishesPerConnectionMax`, publishesPerConnectionMax, publishesInFlightMax, `${path}.publishesInFlightMax`),
    ...atMost(`${path}.callsPerConnectionMax`, callsPerConnectionMax, callsInFlightMax, `${path}.callsInFlightMax`),
  ];
}

/** A message of the greatest size would be refused each time, however little else there is. */
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
  return value <= max ? [] : [{ path, value, expected: `expected ${max} at most, which is ${what}` }];
}

/**
 * A budget smaller than one answer would be all of it for each in turn. And a worker is restarted when too much waits for it: that must not be what it
 * has asked for.
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
      expected: `expected tuning.${bound} (${bytesMax}) at most`,
    }));
}

export function fanoutBoundsNest({ tuning }: Config): Problem[] {
  const problems: Problem[] = [];
  if (tuning.fanout.loopGapMinMs > tuning.fanout.loopGapMaxMs) {
    problems.push({
      path: 'tuning.fanout.loopGapMinMs',
      value: tuning.fanout.loopGapMinMs,
      expected: `expected tuning.fanout.loopGapMaxMs (${tuning.fanout.loopGapMaxMs}) at most`,
    });
  }
  if (tuning.recent.bytesPerTopicMax > tuning.recent.bytesMax) {
    problems.push({
      path: 'tuning.recent.bytesPerTopicMax',
      value: tuning.recent.bytesPerTopicMax,
      expected: `expected tuning.recent.bytesMax (${tuning.recent.bytesMax}) at most`,
    });
  }
  return problems;
}
