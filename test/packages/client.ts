import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLIENT, type Packages, type PackingPlace, ROOT, run } from './pack.ts';

/** What the client's package is to somebody who installs it. */
export function clientCases(packed: Packages, place: PackingPlace): void {
  describe('the client’s package', () => {
    it('depends on msgpackr alone, and is small once installed', async () => {
      const project = await place.installClient(packed.client, 'installed');
      expect(packed.client.manifest.dependencies).toEqual({ msgpackr: expect.any(String) });
      expect(packed.client.manifest.peerDependenciesMeta).toEqual({ ws: { optional: true } });
      const modules = join(project, 'node_modules');
      expect(readdirSync(modules).filter((entry) => !entry.startsWith('.'))).toEqual(['@stentor-broadcast', 'msgpackr']);
      expect(readdirSync(join(modules, '@stentor-broadcast'))).toEqual(['client']);
      const bytes = readdirSync(modules, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
      expect(bytes).toBeLessThan(4_100_000);
    });

    it('has plain types of the protocol’s messages that match its schemas', async () => {
      const file = join(place.clone, 'same-types.ts');
      const generated = join(packed.client.folder, 'dist/protocol/messages.js');
      writeFileSync(
        file,
        `import type * as Made from ${JSON.stringify(generated)};
import type * as Source from './src/protocol/messages.ts';
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
export const same: [
  Same<Made.ClientMessage, Source.ClientMessage>,
  Same<Made.ServerMessage, Source.ServerMessage>,
  Same<Made.ServerMessage<'batch'>, Source.ServerMessage<'batch'>>,
  Same<Made.ClientMessageType, Source.ClientMessageType>,
  Same<Made.ServerMessageType, Source.ServerMessageType>,
  Same<Made.Position, Source.Position>,
  Same<Made.Item, Source.Item>,
] = [true, true, true, true, true, true, true];
// Fails where the types above are no types at all.
// @ts-expect-error
export const not: Same<Made.Item, Source.Position> = true;
`,
      );
      const config = { extends: './tsconfig.json', include: ['same-types.ts'], compilerOptions: { noEmit: true } };
      writeFileSync(join(place.clone, 'tsconfig.same.json'), JSON.stringify(config));
      await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.same.json'], place.clone);
    });

    it.each([
      ['nodenext', 'module', 'nodenext'],
      ['nodenext', 'commonjs', 'nodenext'],
      ['esnext', 'module', 'bundler'],
    ])('type-checks a program with module %s in a %s package, every declaration included', async (module, type, moduleResolution) => {
      const project = await place.installClient(packed.client, `types-${module}-${type}`);
      writeFileSync(
        join(project, 'main.ts'),
        `import { type Client, createClient, type Item, UnauthorizedError } from '${CLIENT}';
const client: Client = createClient({ url: 'wss://example.org/ws' });
const stop: () => void = client.topic<{ home: number }>('scores.a').subscribe((item: Item<{ home: number }>) => { const home: number = item.data.home; void home; });
stop();
export const code: string = new UnauthorizedError('no more').code;
// What may be undefined is as good as left out, under exactOptionalPropertyTypes too; and the platform's own WebSocket is one.
const topic = client.topic('scores.b', { since: client.topic('scores.a').position, onError: undefined, maxRateHz: undefined });
createClient({ url: new URL('wss://example.org/ws'), WebSocket, token: undefined, backoff: { baseMs: undefined }, publish: { onFull: undefined } });
void client.publish('chat.a', 1, { key: undefined, idempotencyKey: undefined });
void client.call('sum', 1, { timeoutMs: undefined, signal: undefined });
void topic.history({ since: topic.position, limit: undefined });
topic.items({ bufferMax: undefined, onFull: undefined });
// @ts-expect-error: no such option
createClient({ url: 'wss://example.org/ws', nosuch: true });
`,
      );
      const compilerOptions = {
        module,
        moduleResolution,
        target: 'es2022',
        lib: ['es2023', 'dom'],
        types: [],
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        skipLibCheck: false,
      };
      writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['main.ts'] }));
      const manifest = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
      writeFileSync(join(project, 'package.json'), JSON.stringify({ ...manifest, type }));
      await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.json'], project);
    });
  });
}
