/** Somebody who has chosen a name, and the token that the server has given for it. */
export interface Visitor {
  readonly user: string;
  readonly token: string;
}

const STORED = 'stentor-chat-visitor';

/**
 * The demo node gives a token to everybody who asks. In an application, the backend gives it to users who have logged in.
 * @throws Error whose message is for the user
 */
export async function askForToken(name: string): Promise<Visitor> {
  const response = await fetch(`/chat/token?${new URLSearchParams({ name })}`).catch(() => {
    throw new Error('the server cannot be reached');
  });
  if (response.status === 404)
    throw new Error('This node gives no tokens: it has keys or namespaces of its own. Start one with “npm start”.');
  const answer = (await response.json()) as Visitor & { readonly error?: { readonly message: string } };
  if (answer.error !== undefined) throw new Error(answer.error.message);
  return answer;
}

/** For reloads. Each tab may be somebody else. */
export function storedVisitor(): Visitor | undefined {
  const stored = sessionStorage.getItem(STORED);
  return stored === null ? undefined : (JSON.parse(stored) as Visitor);
}

export function storeVisitor(visitor: Visitor | undefined): void {
  if (visitor === undefined) sessionStorage.removeItem(STORED);
  else sessionStorage.setItem(STORED, JSON.stringify(visitor));
}
