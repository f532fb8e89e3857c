import type { TObject } from 'typebox';
import { ProtocolError } from './errors.ts';

/**
 * The parameters of a query, with the types that the schema names. What cannot be converted is returned unchanged: the check refuses it.
 *
 * @throws ProtocolError `bad_message` for a parameter that comes twice
 */
export function readQuery({ properties }: TObject, parameters: URLSearchParams): Record<string, unknown> {
  const names = [...parameters.keys()];
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new ProtocolError('bad_message', `${twice}: expected once`);
  return Object.fromEntries(
    names.map((name) => {
      const text = parameters.get(name) as string;
      const { type } = (Object.hasOwn(properties, name) ? properties[name] : {}) as { readonly type?: string };
      return [name, converted(text, type)];
    }),
  );
}

function converted(text: string, type: string | undefined): unknown {
  if (type === 'integer' && /^-?\d{1,16}$/.test(text)) return Number(text);
  return type === 'boolean' && (text === 'true' || text === 'false') ? text === 'true' : text;
}
