/**
 * The types of the wire protocol's messages as plain TypeScript, from their schemas. The compiler's own declarations of them are written in terms of the
 * schema library, which the SDK's package does not depend on.
 *
 * @param {Readonly<Record<string, unknown>>} messages the module `protocol/messages`
 * @returns {string} declarations, for a `.d.ts` file
 */
export function messageTypes(messages) {
  const { CLIENT_MESSAGES, SERVER_MESSAGES, ...others } = messages;
  const named = Object.entries(others).filter(([, value]) => isSchema(value));
  return [
    '// Made from the schemas of the protocol by the build.',
    ...named.map(([name, schema]) => `export type ${name} = ${typeOf(schema)};`),
    ...family('Client', CLIENT_MESSAGES),
    ...family('Server', SERVER_MESSAGES),
    '',
  ].join('\n');
}

function family(side, schemas) {
  const members = Object.entries(schemas).map(([name, schema]) => `  ${name}: ${typeOf(schema)};`);
  return [
    `interface ${side}Messages {\n${members.join('\n')}\n}`,
    `export type ${side}MessageType = keyof ${side}Messages;`,
    `export type ${side}Message<K extends ${side}MessageType = ${side}MessageType> = ${side}Messages[K];`,
  ];
}

function isSchema(value) {
  return typeof value === 'object' && value !== null && ('type' in value || 'anyOf' in value);
}

function typeOf(schema) {
  if ('const' in schema) return JSON.stringify(schema.const);
  if (schema.anyOf) return `(${schema.anyOf.map(typeOf).join(' | ')})`;
  switch (schema.type) {
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type;
    case 'number':
    case 'integer':
      return 'number';
    case 'array':
      return Array.isArray(schema.items) ? `[${schema.items.map(typeOf).join(', ')}]` : `${typeOf(schema.items)}[]`;
    case 'object':
      return objectType(schema);
    case undefined:
      return 'unknown';
    default:
      throw new Error(`a schema of type ${schema.type} has no TypeScript form here`);
  }
}

function objectType({ properties = {}, required = [], patternProperties }) {
  if (patternProperties) return `Record<string, ${typeOf(Object.values(patternProperties)[0])}>`;
  const members = Object.entries(properties).map(([name, schema]) => {
    const comment = schema.description === undefined ? '' : `/** ${schema.description} */ `;
    return `${comment}${name}${required.includes(name) ? '' : '?'}: ${typeOf(schema)};`;
  });
  return `{ ${members.join(' ')} }`;
}
