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

export function publishLimitsNest({ limits }: Config): Problem[] {
  if (limits.publishesPerConnectionMax <= limits.publishesInFlightMax) return [];
  return [
    {
      path: 'limits.publishesPerConnectionMax',
      value: limits.publishesPerConnectionMax,
      expected: `expected limits.publishesInFlightMax (${limits.publishesInFlightMax}) at most`,
    },
  ];
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
