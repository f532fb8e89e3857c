import type { Problem } from './problem.ts';
import type { Config, NamespaceOptions } from './schema.ts';

/** A pong that may come after the next ping could not be told from that ping's. */
export function pongComesBeforeNextPing({ heartbeat }: Config): Problem[] {
  if (heartbeat.pongTimeoutMs < heartbeat.pingIntervalMs) return [];
  return [
    {
      path: 'heartbeat.pongTimeoutMs',
      value: heartbeat.pongTimeoutMs,
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

function boundsOf({ limits, memory, nats }: Config, options: NamespaceOptions): [path: string, bytes: number][] {
  return [
    [options.clientPublish ? 'limits.messageBytesMax' : '', limits.messageBytesMax],
    ['limits.sendBufferLimitBytes', limits.sendBufferLimitBytes],
    ['limits.ringBytesMax', limits.ringBytesMax],
    [options.durable ? 'namespaces.<name>.history.maxBytes' : '', options.history.maxBytes],
    [options.durable && nats.url === '' ? 'memory.maxBytes' : '', memory.maxBytes],
  ];
}

/** A connection is caught up before it is given up. */
export function lagComesBeforeClose({ limits }: Config): Problem[] {
  if (limits.lagThresholdBytes <= limits.sendBufferLimitBytes) return [];
  return [
    {
      path: 'limits.lagThresholdBytes',
      value: limits.lagThresholdBytes,
      expected: `expected limits.sendBufferLimitBytes (${limits.sendBufferLimitBytes}) at most`,
    },
  ];
}

/** A connection's part of a bound cannot be greater than the whole. */
export function connectionBoundsNest({ limits }: Config): Problem[] {
  return [
    ...atMost(limits, 'publishesPerConnectionMax', limits.publishesInFlightMax, 'limits.publishesInFlightMax'),
    ...atMost(limits, 'callsPerConnectionMax', limits.callsInFlightMax, 'limits.callsInFlightMax'),
  ];
}

/** A message of the greatest size would be refused each time, however little else there is. */
export function messagesFitTheirBounds({ limits, workers }: Config): Problem[] {
  const shareBytes = Math.floor(limits.commandBytesInFlightMax / Math.max(1, workers));
  return [
    ...atMost(limits, 'messageBytesMax', limits.bytesPerSecondMax, 'limits.bytesPerSecondMax'),
    ...atMost(limits, 'messageBytesMax', limits.commandBytesPerConnectionMax, 'limits.commandBytesPerConnectionMax'),
    ...atMost(limits, 'messageBytesMax', shareBytes, "a worker's share of limits.commandBytesInFlightMax"),
  ];
}

function atMost(limits: Config['limits'], name: keyof Config['limits'], max: number, what: string): Problem[] {
  const value = limits[name];
  return value <= max ? [] : [{ path: `limits.${name}`, value, expected: `expected ${max} at most, which is ${what}` }];
}

/**
 * A budget smaller than one answer would be all of it for each in turn. And a worker is restarted when too much waits for it: that must not be what it
 * has asked for.
 */
export function answersFitTheirBudgets({ limits }: Config): Problem[] {
  const { historyPageBytesMax, recoveryBytesMax, answerBytesPerWorkerMax, answerBytesPerNodeMax, historyBytesMax, linkQueueBytesMax } =
    limits;
  const nested = [
    ['historyPageBytesMax', historyPageBytesMax, 'historyBytesMax', historyBytesMax],
    ['recoveryBytesMax', recoveryBytesMax, 'answerBytesPerWorkerMax', answerBytesPerWorkerMax],
    ['recoveryBytesMax', recoveryBytesMax, 'answerBytesPerNodeMax', answerBytesPerNodeMax],
    ['historyBytesMax', historyBytesMax, 'answerBytesPerNodeMax', answerBytesPerNodeMax],
    ['answerBytesPerWorkerMax', answerBytesPerWorkerMax, 'linkQueueBytesMax / 2', linkQueueBytesMax / 2],
  ] as const;
  return nested
    .filter(([, bytes, , bytesMax]) => bytes > bytesMax)
    .map(([name, value, bound, bytesMax]) => ({
      path: `limits.${name}`,
      value,
      expected: `expected limits.${bound} (${bytesMax}) at most`,
    }));
}

export function fanoutBoundsNest({ fanout, limits }: Config): Problem[] {
  const problems: Problem[] = [];
  if (fanout.loopGapMinMs > fanout.loopGapMaxMs) {
    problems.push({
      path: 'fanout.loopGapMinMs',
      value: fanout.loopGapMinMs,
      expected: `expected fanout.loopGapMaxMs (${fanout.loopGapMaxMs}) at most`,
    });
  }
  if (limits.ringBytesMax > fanout.workerRingBytesMax) {
    problems.push({
      path: 'limits.ringBytesMax',
      value: limits.ringBytesMax,
      expected: `expected fanout.workerRingBytesMax (${fanout.workerRingBytesMax}) at most`,
    });
  }
  return problems;
}
