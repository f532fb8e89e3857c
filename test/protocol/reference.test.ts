import { readFileSync } from 'node:fs';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { jsonCodec } from '../../src/protocol/json-codec.ts';
import { CLIENT_MESSAGES, SERVER_MESSAGES } from '../../src/protocol/messages.ts';
import { parseClientMessage } from '../../src/protocol/parse.ts';
import { REFERENCE_PARTS, withProtocolReference } from '../../src/protocol/reference.ts';

const PROTOCOL = readFileSync(new URL('../../src/protocol/PROTOCOL.md', import.meta.url), 'utf8');

describe('PROTOCOL.md', () => {
  it('has the tables that the schemas make (npm run docs brings it up to date)', () => {
    expect(PROTOCOL).toBe(withProtocolReference(PROTOCOL));
  });

  it('names every command with its answer', () => {
    for (const type of Object.keys(CLIENT_MESSAGES))
      expect(PROTOCOL).toMatch(new RegExp(`^\\| (\`\\w+\`, )*\`${type}\`(, \`\\w+\`)* \\| (\`|none)`, 'm'));
  });

  it('links only to sections that it has', () => {
    const sections = new Set(
      [...PROTOCOL.matchAll(/^#+ (.+)$/gm)].map(([, title]) => title!.toLowerCase().replaceAll(/[`()]/g, '').replaceAll(' ', '-')),
    );
    const links = [...PROTOCOL.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor!);
    expect(links.length).toBeGreaterThan(5);
    for (const link of links) expect([...sections]).toContain(link);
  });

  it('shows a session whose every message matches its schema', () => {
    const lines = [...PROTOCOL.matchAll(/^([<>]) (\{.+\})$/gm)];
    expect(lines.length).toBeGreaterThan(15);
    for (const [, direction, text] of lines) {
      const bytes = Buffer.from(text!);
      if (direction === '>') parseClientMessage(jsonCodec, bytes);
      else {
        const message = jsonCodec.decode(bytes) as { type: keyof typeof SERVER_MESSAGES };
        // Closed, so that a field that no schema knows shows.
        const schema = Type.Object(SERVER_MESSAGES[message.type].properties, { additionalProperties: false });
        expect([...Compile(schema).Errors(message)]).toEqual([]);
      }
    }
  });
});

describe('withProtocolReference', () => {
  it('has a row for every field, with its type, its limits and its meaning', () => {
    const client = REFERENCE_PARTS['client-messages']!();
    for (const [type, schema] of Object.entries(CLIENT_MESSAGES)) {
      const [, table = ''] = client.split(`### \`${type}\`\n`);
      const rows = table
        .split('###')[0]!
        .split('\n')
        .filter((line) => line.startsWith('| `'));
      expect(rows.map((row) => row.split('`')[1])).toEqual(Object.keys(schema.properties).filter((name) => name !== 'type'));
    }
    expect(client).toContain('| `id` | integer, 0–2^53 − 1 | yes | chosen by the client, returned in the answer |');
    expect(client).toContain('| `since` | [Position](#position) |  | ');
    expect(REFERENCE_PARTS['server-messages']!()).toContain('| `items` | list of [Item](#item');
  });

  it('refuses a text without its markers', () => {
    expect(() => withProtocolReference('# nothing')).toThrow('client-messages:start');
  });
});
