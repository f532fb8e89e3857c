/** For every object of the schema: names that it does not know are refused. */
export const closed = { additionalProperties: false } as const;
