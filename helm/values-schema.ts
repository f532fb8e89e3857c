import Type, { type TSchema } from 'typebox';
import { NAME_PLACEHOLDER, SETTINGS } from '../src/config/settings.ts';
import { CONFIG_SHAPE, type Shape } from '../src/config/shape.ts';

/**
 * The schema of the chart's values: what Kubernetes and the chart need is written here, `config` comes from Stentor's own schema. Helm checks
 * values against it before anything reaches the cluster.
 */
export function valuesSchema(): object {
  return { $schema: 'http://json-schema.org/draft-07/schema#', title: 'Values of the stentor chart', ...ChartValues };
}

const closed = { additionalProperties: false } as const;
const Text = (description?: string) => Type.String(description === undefined ? {} : { description });
const Texts = Type.Record(Type.String(), Type.String());
const TextList = Type.Array(Type.String());
/** Passed on to Kubernetes, which checks it. */
const AnyObject = Type.Object({});
const AnyObjects = Type.Array(AnyObject);
const Count = (minimum: number, description?: string) => Type.Integer({ minimum, ...(description !== undefined && { description }) });
const part = (properties: Record<string, TSchema>) => Type.Partial(Type.Object(properties), closed);

const ChartValues = part({
  nameOverride: Text(),
  fullnameOverride: Text(),
  /** Helm passes these to every chart. */
  global: AnyObject,
  image: part({
    repository: Type.String({ minLength: 1 }),
    tag: Text('empty: the chart’s appVersion'),
    digest: Type.String({ pattern: '^(sha256:[0-9a-f]{64})?$' }),
    pullPolicy: Type.Enum(['Always', 'IfNotPresent', 'Never']),
  }),
  imagePullSecrets: AnyObjects,
  replicaCount: Count(0, 'nodes; more than one needs NATS'),
  config: configSchema(),
  existingSecret: Text('a Secret whose keys are STENTOR_ variables'),
  secretEnv: variablesSchema(),
  natsCreds: part({ existingSecret: Text(), key: Type.String({ minLength: 1 }) }),
  natsTls: part({ existingSecret: Text(), clientCertificate: Type.Boolean() }),
  nodeTls: part({ existingSecret: Text('a Secret with tls.crt and tls.key'), clientCa: Type.Boolean() }),
  hookModules: part({ existingConfigMap: Text('a ConfigMap whose files are mounted at /etc/stentor/hooks') }),
  extraEnv: AnyObjects,
  extraVolumes: AnyObjects,
  extraVolumeMounts: AnyObjects,
  service: part({
    type: Type.Enum(['ClusterIP', 'NodePort', 'LoadBalancer']),
    port: Type.Integer({ minimum: 1, maximum: 65_535 }),
    annotations: Texts,
    sessionAffinity: Type.Enum(['None', 'ClientIP']),
    externalTrafficPolicy: Type.Enum(['', 'Cluster', 'Local']),
  }),
  ingress: part({
    enabled: Type.Boolean(),
    className: Text(),
    annotations: Texts,
    hosts: TextList,
    tls: AnyObjects,
  }),
  gateway: part({ enabled: Type.Boolean(), annotations: Texts, parentRefs: AnyObjects, hostnames: TextList }),
  autoscaling: part({
    enabled: Type.Boolean(),
    minReplicas: Count(1),
    maxReplicas: Count(1),
    targetCPUUtilizationPercentage: Count(1),
    connectionsPerNode: Count(0, '0: not by connections'),
    deliveriesPerSecondPerNode: Count(0, '0: not by deliveries'),
    loopLagMs: Count(0, '0: not by the delay of the event loops'),
    scaleDownStabilizationSeconds: Type.Integer({ minimum: 0, maximum: 3600 }),
    scaleDownPeriodSeconds: Type.Integer({ minimum: 1, maximum: 1800 }),
  }),
  podDisruptionBudget: part({ enabled: Type.Boolean(), maxUnavailable: Type.Union([Count(0), Type.String({ pattern: '^[0-9]{1,3}%$' })]) }),
  topologySpread: part({
    enabled: Type.Boolean(),
    maxSkew: Count(1),
    topologyKeys: TextList,
    whenUnsatisfiable: Type.Enum(['ScheduleAnyway', 'DoNotSchedule']),
  }),
  networkPolicy: part({
    enabled: Type.Boolean(),
    clientsFrom: AnyObjects,
    metricsFrom: AnyObjects,
    natsTo: AnyObjects,
    natsPort: Type.Integer({ minimum: 1, maximum: 65_535 }),
    extraEgress: AnyObjects,
  }),
  serviceMonitor: part({ enabled: Type.Boolean(), interval: Text(), scrapeTimeout: Text(), tlsConfig: AnyObject, labels: Texts }),
  prometheusRule: part({ enabled: Type.Boolean(), labels: Texts, disabled: TextList }),
  dashboard: part({ enabled: Type.Boolean(), labels: Texts, annotations: Texts }),
  preStopSeconds: Count(0),
  terminationGracePeriodSeconds: Type.Union([Count(1), Type.Null()]),
  maxSurge: Type.Union([Count(0), Type.String()]),
  maxUnavailable: Type.Union([Count(0), Type.String()]),
  minReadySeconds: Count(0),
  resources: AnyObject,
  sysctls: Type.Record(Type.String(), Type.Union([Type.String(), Type.Integer()])),
  podSecurityContext: AnyObject,
  securityContext: AnyObject,
  serviceAccount: part({ create: Type.Boolean(), name: Text(), annotations: Texts }),
  podAnnotations: Texts,
  podLabels: Texts,
  nodeSelector: Texts,
  tolerations: AnyObjects,
  affinity: AnyObject,
  priorityClassName: Text(),
});

/** Stentor's variables by name, so that Helm refuses a misspelt one; otherwise a node would not start. */
function variablesSchema(): TSchema {
  const names = SETTINGS.map(({ envName }) => envName);
  const plain = names.filter((name) => !name.includes(NAME_PLACEHOLDER));
  const ofNamespaces = names
    .filter((name) => name.includes(NAME_PLACEHOLDER))
    .map((name) => name.replace(NAME_PLACEHOLDER, '[A-Za-z0-9_-]+'));
  return {
    ...part(Object.fromEntries(plain.map((name) => [name, Type.String()]))),
    patternProperties: { [`^(${ofNamespaces.join('|')})$`]: Type.String() },
    description: 'STENTOR_ variables for the Secret that the chart makes',
  };
}

/** Stentor's schema without what a ConfigMap must not contain, and with ports that a Service can name. */
function configSchema(): TSchema {
  const schema = withoutSecrets(CONFIG_SHAPE) as Mutable;
  for (const port of [schema.properties?.port, schema.properties?.admin?.properties?.port]) if (port !== undefined) port.minimum = 1;
  schema.description = 'Stentor’s own configuration; secrets go into a Secret';
  return schema as unknown as TSchema;
}

type Mutable = { properties?: Record<string, Mutable>; minimum?: number; description?: string };

/** A copy in plain JSON Schema. Nothing is required, because every setting has a default. */
function withoutSecrets(shape: Shape): unknown {
  const { secret: _, required: __, default: ___, filePath: ____, properties, patternProperties, items, ...rest } = shape;
  return {
    ...rest,
    ...(properties !== undefined && { properties: mapShapes(properties) }),
    ...(patternProperties !== undefined && { patternProperties: mapShapes(patternProperties), additionalProperties: false }),
    ...(items !== undefined && { items: withoutSecrets(items) }),
  };
}

function mapShapes(shapes: Readonly<Record<string, Shape>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(shapes).flatMap(([name, shape]) => (shape.secret ? [] : [[name, withoutSecrets(shape)]])));
}
