/** What publishers put into their publications, and subscribers read from them. Shared by both suites. */

/**
 * @param {string} from the publisher's name, used in no other run
 * @param {number} n counts its publications from 0
 * @param {number} sentAtMs when it was due
 * @param {number} payloadBytes about how long it is as JSON
 */
export function publicationOf(from, n, sentAtMs, payloadBytes) {
  const publication = { from, n, sentAtMs, pad: '' };
  publication.pad = 'x'.repeat(Math.max(0, payloadBytes - JSON.stringify(publication).length));
  return publication;
}

/** A publisher's last publication: how many of the ones before it the log has acknowledged. @param {number} acked */
export function endOf(from, acked) {
  return { from, acked };
}
