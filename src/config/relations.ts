import type { Problem } from './problem.ts';
import { authKeysAreComplete, authKidsAreUnique, jwksIsUsable } from './relations-auth.ts';
import { hookFailuresHaveHooks, hookSubjectsAreSubjects, publishHooksArePossible } from './relations-hooks.ts';
import {
  answersFitTheirBudgets,
  connectionBoundsNest,
  deltasArePossible,
  documentsArePossible,
  fanoutBoundsNest,
  lagComesBeforeClose,
  messagesFitTheirBounds,
  patternsArePossible,
  payloadsFit,
  pongComesBeforeNextPing,
  sanitizedPayloadsHaveTexts,
  someNamespace,
  staleTimesAreLong,
  userTopicsArePrivate,
} from './relations-limits.ts';
import {
  adminNeedsToken,
  adminTokenIsLong,
  adminTokensAreComplete,
  bodiesFit,
  originsAreOrigins,
  pathIsFree,
  portsDiffer,
  proxiesAreAddresses,
  proxyProtocolIsWithoutTls,
} from './relations-listen.ts';
import {
  mirrorsAreStreams,
  natsLoginIsOne,
  natsNamesAreNames,
  natsPasswordsInClear,
  natsTlsFilesComeTogether,
  natsUrlsAreUrls,
  replicasNeedNats,
} from './relations-nats.ts';
import { productionIsSafe } from './relations-production.ts';
import { tlsFilesComeTogether, tlsServerNamesAreUnique } from './relations-tls.ts';
import type { Config } from './schema.ts';
import { caseTwins, epochsAreForgotten, lossOfNatsIsToldLate, unusableNamespaces } from './warnings.ts';

/** A rule between settings that are each valid by the schema. Pure; returns the problems. */
export type Relation = (config: Config) => readonly Problem[];

export const RELATIONS: readonly Relation[] = [
  adminNeedsToken,
  adminTokenIsLong,
  adminTokensAreComplete,
  bodiesFit,
  portsDiffer,
  pathIsFree,
  originsAreOrigins,
  proxiesAreAddresses,
  proxyProtocolIsWithoutTls,
  natsUrlsAreUrls,
  natsLoginIsOne,
  natsNamesAreNames,
  mirrorsAreStreams,
  natsTlsFilesComeTogether,
  replicasNeedNats,
  authKeysAreComplete,
  authKidsAreUnique,
  jwksIsUsable,
  pongComesBeforeNextPing,
  someNamespace,
  staleTimesAreLong,
  userTopicsArePrivate,
  sanitizedPayloadsHaveTexts,
  deltasArePossible,
  documentsArePossible,
  patternsArePossible,
  payloadsFit,
  lagComesBeforeClose,
  connectionBoundsNest,
  messagesFitTheirBounds,
  answersFitTheirBudgets,
  fanoutBoundsNest,
  hookSubjectsAreSubjects,
  hookFailuresHaveHooks,
  publishHooksArePossible,
  tlsFilesComeTogether,
  tlsServerNamesAreUnique,
  productionIsSafe,
];

/** Settings that work, but are probably a mistake. */
export const WARNINGS: readonly ((config: Config) => readonly string[])[] = [
  unusableNamespaces,
  caseTwins,
  natsPasswordsInClear,
  epochsAreForgotten,
  lossOfNatsIsToldLate,
];
