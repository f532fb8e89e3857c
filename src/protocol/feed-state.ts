import { type FeedName, isPattern, keyOf } from './feed-name.ts';

/** The options of a namespace that determine what the state of its topics is. */
export interface StateOptions {
  readonly state: 'last' | 'keyed' | 'document';
  /** With `keyed`: the value of each key is a document. */
  readonly patch?: boolean | undefined;
}

/** Publications of the namespace are changes of documents: of one a topic, or of one a key. */
export function hasDocuments({ state, patch }: StateOptions): boolean {
  return state === 'document' || patch === true;
}

/** What the state of a feed is. Of a pattern the latest is kept by topic and key. One key of a topic with documents has one document. */
export function stateOf(name: FeedName, options: StateOptions): StateOptions['state'] | 'documents' {
  if (isPattern(name)) return 'keyed';
  if (!options.patch) return options.state;
  return keyOf(name) === undefined ? 'documents' : 'document';
}
