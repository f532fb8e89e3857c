import Type, { type Static } from 'typebox';

/** Every error, with its HTTP status. */
export const Refusal = Type.Object(
  {
    error: Type.Object({
      code: Type.String({ description: 'stable: for programs' }),
      message: Type.String({ description: 'text for people' }),
    }),
  },
  { title: 'Refusal' },
);
export type Refusal = Static<typeof Refusal>;
