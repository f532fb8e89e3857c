/** All of the parts one after the other. @param head number of zeros before them */
export function joinBytes(parts: readonly Uint8Array[], head = 0): Uint8Array {
  const joined = new Uint8Array(parts.reduce((bytes, { length }) => bytes + length, head));
  let at = head;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
