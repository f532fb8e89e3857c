/** A canvas cannot resolve custom properties. So the computed colour of an element is read. */
export function resolveColour(place: HTMLElement, name: string): string {
  const probe = place.querySelector<HTMLElement>(`[data-colour="${name}"]`) ?? place.appendChild(document.createElement('span'));
  if (probe.dataset.colour === undefined) {
    probe.dataset.colour = name;
    probe.hidden = true;
    probe.style.color = `var(${name})`;
  }
  return getComputedStyle(probe).color;
}
