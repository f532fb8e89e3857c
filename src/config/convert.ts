import { parse } from 'yaml';
import type { Shape } from './shape.ts';

/**
 * Converts text from a variable or a flag to the type that the shape requires. Text that cannot be converted is returned unchanged; the check refuses it
 * afterwards, and says what was expected.
 *
 * Lists of texts are comma-separated or JSON; maps and lists of maps are JSON or YAML.
 */
export function convertText(shape: Shape, text: string): unknown {
  const trimmed = text.trim();
  switch (shape.type) {
    case 'integer':
      return /^-?\d+$/.test(trimmed) ? Number(trimmed) : text;
    case 'number':
      return /^-?(\d+\.?\d*|\.\d+)$/.test(trimmed) ? Number(trimmed) : text;
    case 'boolean':
      if (trimmed === 'true' || trimmed === '1') return true;
      return trimmed === 'false' || trimmed === '0' ? false : text;
    case 'array':
      if (shape.items?.type === 'object' || trimmed.startsWith('[')) return parseOrText(trimmed);
      return trimmed === '' ? [] : trimmed.split(',').map((item) => item.trim());
    case 'object':
      return parseOrText(trimmed);
    default:
      return text;
  }
}

function parseOrText(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return text;
  }
}
