/** @param map what a link becomes; links in code blocks are left alone */
export function mapLinks(text: string, map: (link: string) => string): string;
