import { CliError } from '../errors.ts';
import { type PinnedRequest, pinnedRequest } from './pinned-request.ts';

export interface AdminAnswer {
  readonly ok: boolean;
  readonly status: number;
  /** Without white space around it. */
  readonly text: string;
}

export interface AdminRequest extends PinnedRequest {
  /** What to do if there is no answer. */
  readonly help?: string;
  /** A node with TLS on this machine: the certificate that it must present, as PEM; `any`, where nothing secret is sent. Undefined: its name is checked. */
  readonly certificate?: string | undefined;
}

/** Asks the admin port of a node. @throws CliError with `code` if there is no answer */
export async function askAdmin(url: string, code: string, { help = '', certificate, ...init }: AdminRequest): Promise<AdminAnswer> {
  try {
    if (certificate !== undefined) {
      const { status, text } = await pinnedRequest(new URL(url), certificate === 'any' ? undefined : certificate, init);
      return { ok: status >= 200 && status < 300, status, text: text.trim() };
    }
    const answer = await fetch(url, init);
    return { ok: answer.ok, status: answer.status, text: (await answer.text()).trim() };
  } catch (cause) {
    const what = ofCertificate(cause as Error) ?? help;
    throw new CliError(code, `no answer from ${new URL(url).origin}: ${reasonOf(cause as Error)}${what === '' ? '' : `. ${what}`}`, 1, {
      cause,
    });
  }
}

/** Errors of Node and OpenSSL. */
const UNKNOWN_AUTHORITY = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
];

/** What to do if something has answered, but is not trusted; undefined: that is not why. */
function ofCertificate({ cause }: Error): string | undefined {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
  if (UNKNOWN_AUTHORITY.includes(code))
    return 'Its certificate is of an authority that this machine does not know: name the file with that authority in NODE_EXTRA_CA_CERTS';
  return code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? 'Use a name of its certificate in --admin-url' : undefined;
}

function reasonOf({ name, message, cause }: Error): string {
  if (name === 'TimeoutError') return 'it took too long';
  if (!(cause instanceof Error)) return message;
  // Connecting to `localhost` tries two addresses, and fails with an error whose own message is empty.
  return cause.message || (cause as NodeJS.ErrnoException).code || message;
}
