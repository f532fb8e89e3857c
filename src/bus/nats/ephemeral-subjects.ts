import type { Msg } from '@nats-io/transport-node';
import type { Config, NamespaceOptions } from '../../config/schema.ts';
import type { FeedName } from '../../protocol/feed-name.ts';
import { namespaceOf } from '../../protocol/topic.ts';
import type { BusCounters } from '../bus.ts';
import type { SubjectFaults } from '../subject-faults.ts';
import { wrongDepthFilters } from '../subjects.ts';
import type { OriginSignatures } from './origin-signatures.ts';
import { PublicationReader } from './publication-reader.ts';

export interface EphemeralSubjectsContext {
  readonly faults: SubjectFaults;
  readonly signatures: OriginSignatures;
  readonly counters: BusCounters;
  /** That each namespace remembers. */
  readonly subjectsMax: number;
}

/** Reads the subjects of ephemeral namespaces, and watches for subjects of a wrong depth. */
export class EphemeralSubjects {
  readonly #namespaces: readonly (readonly [string, NamespaceOptions])[];
  readonly #readers: ReadonlyMap<string, PublicationReader>;
  readonly #faults: SubjectFaults;

  constructor({ namespaces }: Pick<Config, 'namespaces'>, { faults, signatures, counters, subjectsMax }: EphemeralSubjectsContext) {
    const onForged = () => void counters.originsForged++;
    this.#faults = faults;
    this.#namespaces = Object.entries(namespaces).filter(([, { durable }]) => !durable);
    this.#readers = new Map(
      this.#namespaces.map(([name, options]) => [
        name,
        new PublicationReader(
          { ...options, signatures, subjectsMax },
          { onFault: (subject, fault) => faults.note(name, options, fault, subject), onForged },
        ),
      ]),
    );
  }

  /** Undefined: the name's namespace is not ephemeral. */
  reader(name: FeedName): PublicationReader | undefined {
    return this.#readers.get(namespaceOf(name));
  }

  /**
   * Ephemeral messages without subscribers are not stored anywhere, so the node subscribes to subjects of a wrong depth while the connection lives. These
   * filters match no valid subject: if producers make no mistakes, nothing arrives.
   */
  watchDepths(subscribe: (filter: string, onMessage: (message: Msg) => void) => void): void {
    for (const [name, options] of this.#namespaces) {
      for (const filter of wrongDepthFilters(name, options)) {
        subscribe(filter, ({ subject }) => this.#faults.note(name, options, 'wrong_depth', subject));
      }
    }
  }
}
