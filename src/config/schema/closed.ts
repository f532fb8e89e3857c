/** For every object of the schema: unknown names are refused. */
export const closed = { additionalProperties: false } as const;
