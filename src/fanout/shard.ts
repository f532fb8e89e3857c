/**
 * Up to `shardMembersMax` connections of one variant of a topic that always get the same frames: one native uWS topic.
 * Members join at the cursor, so nothing is sent twice and nothing has to be flushed for a join.
 */
export class Shard {
  /** Name of the native topic; ASCII and short, which is what uWS looks up fastest. */
  readonly nativeTopic: string;
  members = 0;
  /** Ring sequence of the next item to send. */
  cursor: number;
  /** Offset up to which the members have been given everything: the `prev` of the next batch. */
  offset: number;

  constructor(nativeTopic: string, cursor: number, offset: number) {
    this.nativeTopic = nativeTopic;
    this.cursor = cursor;
    this.offset = offset;
  }
}
