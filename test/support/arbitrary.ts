import fc, { type Arbitrary } from 'fast-check';

/** As much of a TypeBox schema as the messages use. */
interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema | readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  /** Of a map with any names: one pattern. */
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}

/**
 * Values that fit a schema, so that a message that gains a field is tested with it.
 * @param unknown what stands where the schema says nothing
 */
export function arbitraryOf(schema: object, unknown: Arbitrary<unknown>): Arbitrary<unknown> {
  const { type, anyOf, items, properties, patternProperties, required = [], ...bounds } = schema as Schema;
  if ('const' in schema) return fc.constant(schema.const);
  if (anyOf) return fc.oneof(...anyOf.map((choice) => arbitraryOf(choice, unknown)));
  switch (type) {
    case 'object': {
      for (const [pattern, value] of Object.entries(patternProperties ?? {})) {
        const keys = { minKeys: bounds.minProperties ?? 0, maxKeys: Math.min(5, bounds.maxProperties ?? 5), noNullPrototype: true };
        return fc.dictionary(fc.stringMatching(new RegExp(pattern)), arbitraryOf(value, unknown), keys);
      }
      const fields: Record<string, Arbitrary<unknown>> = {};
      for (const [name, field] of Object.entries(properties ?? {})) fields[name] = arbitraryOf(field, unknown);
      return fc.record<Record<string, unknown>, string>(fields, { requiredKeys: [...required], noNullPrototype: true });
    }
    case 'array':
      if (Array.isArray(items)) return fc.tuple(...items.map((item) => arbitraryOf(item, unknown)));
      return fc.array(arbitraryOf(items as Schema, unknown), {
        minLength: bounds.minItems ?? 0,
        maxLength: Math.min(5, bounds.maxItems ?? 5),
      });
    case 'string':
      if (bounds.pattern !== undefined) return fc.stringMatching(new RegExp(bounds.pattern));
      return text(bounds.minLength, bounds.maxLength);
    case 'integer':
      return fc.integer({ min: bounds.minimum ?? Number.MIN_SAFE_INTEGER, max: bounds.maximum ?? Number.MAX_SAFE_INTEGER });
    case 'number':
      return numberIn(bounds);
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case undefined:
      return unknown;
    default:
      throw new Error(`no arbitrary for a schema of type ${type}`);
  }
}

/** Any text that UTF-8 can hold, no longer than the bound in UTF-16 units. */
function text(minLength = 0, maxLength = 60): Arbitrary<string> {
  // A unit may take two UTF-16 units.
  return fc.string({ unit: 'binary', minLength, maxLength: Math.max(minLength, Math.floor(Math.min(maxLength, 60) / 2)) });
}

function numberIn({ minimum, exclusiveMinimum, maximum }: Schema): Arbitrary<number> {
  const min = exclusiveMinimum ?? minimum;
  return fc
    .double({
      noNaN: true,
      noDefaultInfinity: true,
      ...(min !== undefined && { min, minExcluded: exclusiveMinimum !== undefined }),
      ...(maximum !== undefined && { max: maximum }),
    })
    .map(withoutMinusZero);
}

/** Neither encoding keeps the sign of zero. */
function withoutMinusZero(value: number): number {
  return value === 0 ? 0 : value;
}

/** What both encodings hold exactly. `__proto__` is left out: JavaScript decoders rename it, which has a test of its own. */
export function jsonData(): Arbitrary<unknown> {
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.oneof(fc.constant(null), fc.boolean(), numberIn({}), fc.integer(), fc.maxSafeInteger(), text()),
      fc.array(tie('tree'), { maxLength: 5 }),
      fc.dictionary(
        text().filter((key) => key !== '__proto__'),
        tie('tree'),
        { maxKeys: 5, noNullPrototype: true },
      ),
    ),
  }));
  return tree as Arbitrary<unknown>;
}

/** What MessagePack holds beside that: bytes, 64-bit integers, times. */
export function msgpackData(): Arbitrary<unknown> {
  const beyond = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }).filter((value) => !Number.isSafeInteger(Number(value)));
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.oneof(jsonData(), beyond, fc.uint8Array({ maxLength: 40 }).map(Buffer.from), fc.date({ noInvalidDate: true })),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.record({ a: tie('tree'), b: tie('tree') }, { requiredKeys: [], noNullPrototype: true }),
    ),
  }));
  return tree as Arbitrary<unknown>;
}
