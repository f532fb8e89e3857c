/** Names of fields that never appear in a log, in any object. */
export const REDACTED_FIELDS = [
  'authorization',
  'Authorization',
  'cookie',
  'token',
  'accessToken',
  'secret',
  'password',
  'credentials',
  'sec-websocket-protocol',
] as const;

/** The depth to which logged objects are searched for these names. */
const DEPTH = 4;

/** Paths for pino's `redact`: every name, at every level down to {@link DEPTH}. */
export function redactedPaths(): string[] {
  return REDACTED_FIELDS.flatMap((field) => {
    const quoted = field.includes('-') ? `["${field}"]` : field;
    return Array.from({ length: DEPTH }, (_, level) => {
      const parents = Array.from({ length: level }, () => '*').join('.');
      if (parents === '') return quoted;
      return quoted.startsWith('[') ? parents + quoted : `${parents}.${quoted}`;
    });
  });
}

// A JWT's header is base64url of `{"…`, which always begins with eyJ.
const JWT = /eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?/g;
const URL_CREDENTIALS = /(:\/\/)[^/@\s"\\]+@/g;
const QUERY_TOKEN = /([?&](?:token|access_token)=)[^&\s"\\]+/g;

/** Removes tokens and URL credentials from a finished line of JSON. The line stays JSON. */
export function scrubLine(line: string): string {
  return line.replace(JWT, '(redacted)').replace(URL_CREDENTIALS, '$1(redacted)@').replace(QUERY_TOKEN, '$1(redacted)');
}
