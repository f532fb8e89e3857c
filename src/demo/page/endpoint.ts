/** The WebSocket endpoint of the node that serves this page. The node writes its path into the page. */
export function endpoint(): string {
  const path = document.querySelector<HTMLMetaElement>('meta[name="stentor-path"]')?.content ?? '/ws';
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${path}`;
}
