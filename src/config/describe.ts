import type { Shape } from './shape.ts';

/** Describes a value of this shape, for an error: completes "expected …". */
export function describeExpected(shape: Shape): string {
  if (shape.anyOf) return `one of ${choices(shape).join(', ')}`;
  switch (shape.type) {
    case 'integer':
      return `a whole number ${shape.maximum === undefined ? `of at least ${shape.minimum}` : `from ${shape.minimum} to ${shape.maximum}`}`;
    case 'number':
      return `a number ${shape.maximum === undefined ? `of at least ${shape.minimum}` : `from ${shape.minimum} to ${shape.maximum}`}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return `text${textBounds(shape)}`;
    case 'array':
      return `a list of ${listItems(shape)}${shape.maxItems === undefined ? '' : `, at most ${shape.maxItems}`}`;
    default:
      return 'a map';
  }
}

/** Type and bounds, for the reference table. */
export function describeType(shape: Shape): string {
  if (shape.anyOf) return choices(shape).join(' | ');
  switch (shape.type) {
    case 'integer':
    case 'number':
      return shape.maximum === undefined ? `${shape.type} ≥ ${shape.minimum}` : `${shape.type} ${shape.minimum}–${shape.maximum}`;
    case 'boolean':
      return 'true | false';
    case 'string':
      return `text${textBounds(shape)}`;
    case 'array':
      return `list of ${listItems(shape)}`;
    default:
      return 'map';
  }
}

function choices(shape: Shape): string[] {
  return (shape.anyOf ?? []).map((literal) => literal.const);
}

function listItems(shape: Shape): string {
  if (shape.items?.anyOf) return choices(shape.items).join(', ');
  return shape.items?.type === 'object' ? 'maps' : 'texts';
}

function textBounds(shape: Shape): string {
  const bounds = [
    shape.minLength === undefined ? '' : `at least ${shape.minLength} characters`,
    shape.maxLength === undefined ? '' : `at most ${shape.maxLength} characters`,
    shape.pattern === undefined ? '' : `matching ${shape.pattern}`,
  ].filter((bound) => bound !== '');
  return bounds.length === 0 ? '' : ` (${bounds.join(', ')})`;
}
