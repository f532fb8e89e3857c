import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { loadHookModules } from '../../../src/session/hooks/modules.ts';
import { tempFile } from '../../config/helpers.ts';

const load = (flags: Record<string, unknown>) => loadHookModules(loadConfig({ env: {}, flags }).config);
const ofNamespace = (text: string, name = 'hooks.mjs') => load({ namespaces: { room: { hooks: { module: tempFile(name, text) } } } });

describe('modules with hooks', () => {
  it('are loaded for the node and for each namespace; other exports do no harm', async () => {
    const room = tempFile('room.mjs', 'export const LIMIT = 5; export const subscribe = () => ({ allow: true });');
    const node = tempFile('node.mjs', 'export function disconnect() {}');
    const { connections, namespaces } = await load({ 'hooks.module': node, namespaces: { room: { hooks: { module: room } }, open: {} } });
    expect(connections.disconnect).toBeTypeOf('function');
    expect(connections.connect).toBeUndefined();
    expect([...namespaces.keys()]).toEqual(['room']);
    expect(await namespaces.get('room')?.subscribe?.({} as never)).toEqual({ allow: true });
  });

  it.each([
    ['export default 1;', /exports none of subscribe, publish/],
    ['export const subscribe = { allow: true };', /exports subscribe, but not as a function/],
    ['export function publish() {} export function connect() {}', /exports connect, which belongs in hooks\.module/],
    ['import "no-such-package"; export function publish() {}', /cannot be loaded: .*no-such-package/],
    ['export function (', /cannot be loaded/],
  ])('that protect nothing end the start: %s', async (text, reason) => {
    await expect(ofNamespace(text)).rejects.toMatchObject({
      code: 'hook_module_failed',
      message: expect.stringMatching(/^namespaces\.room\.hooks\.module \(/),
    });
    await expect(ofNamespace(text)).rejects.toThrow(reason);
  });

  it('that are not there end the start', async () => {
    await expect(load({ 'hooks.module': '/nowhere/hooks.mjs' })).rejects.toMatchObject({ code: 'hook_module_failed' });
  });
});
